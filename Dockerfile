# An image that runs as a user without rights.
#
#   docker build --tag cage2-pipeline .
#   docker run --rm --shm-size=1g --volume "$PWD/logs:/runs/logs" cage2-pipeline --total-episodes 20000
#   docker run --rm --volume "$PWD:/runs:ro" cage2-pipeline evaluate my_agent.py:Agent
#
# Episodes come through shared memory, of which Docker gives 64 MB: enough for some hundred workers, but say more. The folder
# that is mounted must be writable for user 10001, or give --user "$(id -u)". Without torch it is smaller, and evaluates:
# --build-arg EXTRAS=watch. pip's own variables, as --build-arg PIP_EXTRA_INDEX_URL=..., choose torch's build for processors.
FROM python:3.11-slim AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY native_buffers native_buffers
COPY pipeline pipeline
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.11-slim
ARG EXTRAS=train,watch
ARG PIP_EXTRA_INDEX_URL
COPY --from=build /wheels /wheels
RUN pip install --no-cache-dir "$(echo /wheels/*.whl)[$EXTRAS]" \
    && useradd --uid 10001 --create-home cage \
    && mkdir /runs \
    && chown cage /runs
USER cage
WORKDIR /runs
ENTRYPOINT ["cage2-pipeline"]
CMD ["--help"]
