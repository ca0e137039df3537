# A squad in a container: docker build -t squad . ; docs/deployment.md says how it is run.
FROM python:3.13-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY squad squad
COPY actors actors
COPY store store
COPY config config
# What it needs is built here, so that no compiler and no cache is left in the image.
RUN ["pip", "wheel", "--no-cache-dir", "--wheel-dir", "/wheels", "."]

FROM python:3.13-slim
ENV PYTHONUNBUFFERED=1 \
    SQUAD_HOME=/var/lib/squad
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    pip install --no-cache-dir --no-index /wheels/*.whl \
    && useradd --system --uid 10001 --create-home squad \
    && install --directory --owner squad --group squad --mode 0700 /var/lib/squad \
    && install --directory --owner squad --group squad /srv/squad
# squad.yaml and the agents' code are expected here, as a volume or in an image made from this one; without them the
# squad that comes with Squad runs.
WORKDIR /srv/squad
USER 10001
VOLUME ["/var/lib/squad"]
# The squad itself is the first process: it passes on what it is told, and collects what its agents leave.
ENTRYPOINT ["squad"]
CMD ["start"]
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 CMD ["squad", "status"]
