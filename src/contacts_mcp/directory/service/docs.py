"""stub"""
POLICY = "default-src 'none'"
def write_page(document):
    return "stub"
