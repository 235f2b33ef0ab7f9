"""The catalog of tools. Tools are data: name, text, schemas, risk, and how a call is prepared and run."""

from contacts_mcp.tools._answers import ConsentReport, NotDone, render
from contacts_mcp.tools._arguments import HOST_ARGUMENTS, drop_host_arguments
from contacts_mcp.tools._catalog import (
    PANEL_TOOLS,
    TOOLS,
    TOOLSETS,
    WORKFLOWS,
    UnknownTools,
    choose_panel_tools,
    choose_tools,
    export_files,
    require_confirmable,
)
from contacts_mcp.tools._downloads import (
    DOWNLOAD_URI_TEMPLATE,
    Download,
    Downloads,
    LinkedDownloads,
    SharedDownloads,
    remove_expired_downloads,
)
from contacts_mcp.tools._endpoints import ENDPOINTS
from contacts_mcp.tools._job import JobClient
from contacts_mcp.tools._links import CallerLinks
from contacts_mcp.tools._listings import KeptListings
from contacts_mcp.tools._offer import ServiceOffer
from contacts_mcp.tools._person import read_person
from contacts_mcp.tools._planned_files import PlannedFiles
from contacts_mcp.tools._references import ParsedArguments, parse_arguments
from contacts_mcp.tools._related import RelatedRecord, RelatedRecords, find_related
from contacts_mcp.tools._resolve import Ambiguous, resolve_names
from contacts_mcp.tools._schemas import input_schema
from contacts_mcp.tools._tool import (
    NO_FOLDER_CONFIGURED,
    NO_PATHS_OVER_NETWORK,
    Backend,
    CallConsent,
    PreparedCall,
    Sender,
    Tool,
    TouchedRecords,
    read_tool,
)
from contacts_mcp.tools._write_budget import WriteBudget, WriteBudgets

__all__ = [
    "DOWNLOAD_URI_TEMPLATE",
    "ENDPOINTS",
    "HOST_ARGUMENTS",
    "NO_FOLDER_CONFIGURED",
    "NO_PATHS_OVER_NETWORK",
    "PANEL_TOOLS",
    "TOOLS",
    "TOOLSETS",
    "WORKFLOWS",
    "Ambiguous",
    "Backend",
    "CallConsent",
    "CallerLinks",
    "ConsentReport",
    "Download",
    "Downloads",
    "JobClient",
    "KeptListings",
    "LinkedDownloads",
    "NotDone",
    "ParsedArguments",
    "PlannedFiles",
    "PreparedCall",
    "RelatedRecord",
    "RelatedRecords",
    "Sender",
    "ServiceOffer",
    "SharedDownloads",
    "Tool",
    "TouchedRecords",
    "UnknownTools",
    "WriteBudget",
    "WriteBudgets",
    "choose_panel_tools",
    "choose_tools",
    "drop_host_arguments",
    "export_files",
    "find_related",
    "input_schema",
    "parse_arguments",
    "read_person",
    "read_tool",
    "remove_expired_downloads",
    "render",
    "require_confirmable",
    "resolve_names",
]
