# syntax=docker/dockerfile:1
# The server as an image. From the root of the repository:
#   docker build -t wayscloud-contacts-mcp:0.1.0 .
# It serves HTTP. For one host over stdio, on an embedded directory in a volume:
#   docker run -i --rm --read-only --no-healthcheck -v contacts:/data wayscloud-contacts-mcp:0.1.0 serve
# For builds that repeat to the byte, give the base by digest: --build-arg PYTHON=python:3.13.7-slim-trixie@sha256:...
ARG PYTHON=python:3.13.7-slim-trixie

FROM ${PYTHON} AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY src ./src
RUN python -m pip wheel --no-cache-dir --no-deps --wheel-dir /dist .
RUN python -m venv --without-pip /opt/contacts-mcp \
 && python -m pip --python /opt/contacts-mcp/bin/python install --no-cache-dir --no-compile \
      "wayscloud-contacts-mcp[postgres,redis,oidc,telemetry] @ file://$(echo /dist/*.whl)"
# Files in an image do not change: with unchecked hashes, bytecode stays valid even if a builder changes file times.
RUN python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/contacts-mcp/lib
RUN install -d -o 10001 -g 10001 -m 0700 /data

FROM ${PYTHON}
LABEL org.opencontainers.image.title="wayscloud-contacts-mcp" \
      org.opencontainers.image.licenses="MIT"
COPY --from=build /opt/contacts-mcp /opt/contacts-mcp
COPY --from=build /data /data
# For the embedded directory, and for files that are sent and fetched by link.
ENV PATH=/opt/contacts-mcp/bin:$PATH \
    HOME=/data \
    XDG_DATA_HOME=/data \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
# By number: Kubernetes can only check that a number is not root.
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8000 9464
# This checks only that the server runs: an unreachable backend is no reason to restart (see /readyz).
HEALTHCHECK --interval=10s --timeout=3s --start-period=15s --retries=3 \
  CMD ["python", "-I", "-S", "-c", "import http.client as h; c = h.HTTPConnection('127.0.0.1', 8000, timeout=2); c.request('GET', '/healthz'); raise SystemExit(c.getresponse().status != 200)"]
# Open streams get a last message and are closed within 5 seconds of it.
STOPSIGNAL SIGTERM
ENTRYPOINT ["contacts-mcp"]
CMD ["serve", "--transport", "http", "--host", "0.0.0.0", "--port", "8000"]
