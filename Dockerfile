# llm-juries with everything for clusters and its tests, from the lock file.
#
#   docker build -t llm-juries .
#   docker build -t llm-juries-vllm --build-arg VLLM=1 .     with open models on GPUs (CUDA)
#   docker run --rm -v "$PWD/outputs:/llm-juries/outputs" llm-juries judge judge=contains
FROM python:3.11-slim

# git for the provenance of results, make for the tests.
RUN apt-get update && apt-get install -y --no-install-recommends git make && \
    rm -rf /var/lib/apt/lists/*

WORKDIR /llm-juries
COPY requirements/dev.txt requirements/dev.txt
RUN python -m pip install --no-cache-dir --require-hashes -r requirements/dev.txt

# vLLM pins other versions, so it has a lock file and an environment of its own, found through this
# variable.
ARG VLLM=""
COPY requirements/vllm-cuda.txt requirements/vllm-cuda.txt
RUN if [ -n "$VLLM" ]; then \
      python -m venv /opt/vllm && /opt/vllm/bin/python -m pip install --no-cache-dir \
        --require-hashes -r requirements/vllm-cuda.txt; \
    fi
ENV LLM_JURIES_VLLM_PYTHON=${VLLM:+/opt/vllm/bin/python}

COPY . .
RUN python -m pip install --no-cache-dir --no-deps --no-build-isolation -e .

ENTRYPOINT ["llm-juries"]
CMD ["--help"]
