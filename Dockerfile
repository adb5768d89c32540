# `halfsmile serve` in a container, without torch:
#   docker build -t halfsmile .
#   docker run --rm -p 8000:8000 -e HALFSMILE_API_KEY=SECRET halfsmile
# Options of `halfsmile serve` go to the end. docs/serve.md says more.
FROM python:3.11-slim AS build
WORKDIR /source
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY src ./src
RUN python -m venv /opt/halfsmile \
    && /opt/halfsmile/bin/pip install --no-cache-dir -c constraints.txt ".[serve]" \
    && /opt/halfsmile/bin/pip uninstall --yes setuptools pip

FROM python:3.11-slim
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin halfsmile
COPY --from=build /opt/halfsmile /opt/halfsmile
USER halfsmile
EXPOSE 8000
HEALTHCHECK --start-period=20s --timeout=5s \
    CMD ["/opt/halfsmile/bin/python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
# Others reach a container, so it asks for a key, HALFSMILE_API_KEY, or for --unprotected.
ENTRYPOINT ["/opt/halfsmile/bin/halfsmile", "serve", "--host", "0.0.0.0"]
