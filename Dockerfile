# The studio in a container, on the CPU. Everything is fetched while it is built, nothing when it runs:
#
#   docker build -t cinn .
#   docker run --rm -p 127.0.0.1:7860:7860 --read-only --tmpfs /tmp cinn
#
# For others, with a password: -p 7860:7860 -e CINN_AUTH=USER:PASSWORD. The recipes and weights are inside.

FROM python:3.13-slim AS build
WORKDIR /src
RUN python -m venv /venv
# First what changes seldom; torch from where it has no GPU's libraries, in the version that the tests ran with.
COPY constraints.txt ./
RUN grep -E '^torch==' constraints.txt > torch.txt \
    && /venv/bin/pip install --no-cache-dir --index-url https://download.pytorch.org/whl/cpu -r torch.txt
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY LICENSES ./LICENSES
COPY models ./models
COPY checkpoints ./checkpoints
COPY cinn_app ./cinn_app
RUN /venv/bin/pip install --no-cache-dir --constraint constraints.txt '.[studio]'

FROM python:3.13-slim
# Of another number than the users of the machine have, and without a home.
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin cinn
COPY --from=build /venv /venv
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOME=/tmp
USER 10001
WORKDIR /tmp
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import http.client as h; c = h.HTTPConnection('127.0.0.1', 7860, timeout=4); \
c.request('GET', '/health'); exit(c.getresponse().status != 200)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["cinn", "app", "--host", "0.0.0.0"]
