# llm-juries with all it needs for clusters and its tests, from the lock file.
#
#   docker build -t llm-juries .
#   docker build -t llm-juries-vllm --build-arg 'VLLM=vllm>=0.11' .     with open models on GPUs
#   docker run --rm -v "$PWD/outputs:/llm-juries/outputs" llm-juries scripts/judge.py judge=contains
FROM python:3.11-slim

# What builds of wheels and submissions need; make runs the tests.
RUN apt-get update && apt-get install -y --no-install-recommends git make && \
    rm -rf /var/lib/apt/lists/*

WORKDIR /llm-juries
COPY requirements/dev.txt requirements/dev.txt
RUN python -m pip install --no-cache-dir --require-hashes -r requirements/dev.txt

# vLLM wants versions of its own, so it gets an environment of its own, found through this variable.
ARG VLLM=""
RUN if [ -n "$VLLM" ]; then \
      python -m venv /opt/vllm && /opt/vllm/bin/python -m pip install --no-cache-dir "$VLLM"; \
    fi
ENV LLM_JURIES_VLLM_PYTHON=${VLLM:+/opt/vllm/bin/python}

COPY . .
RUN python -m pip install --no-cache-dir --no-deps --no-build-isolation -e .

ENTRYPOINT ["python"]
CMD ["scripts/judge.py", "--help"]
