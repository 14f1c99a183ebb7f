# The first stage installs locked and hashed packages. The second one holds the program, without build tools.
FROM python:3.12.11-slim-bookworm AS packages
COPY requirements.lock /
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --require-hashes --only-binary :all: -r /requirements.lock

FROM python:3.12.11-slim-bookworm
RUN useradd --system --uid 10001 --no-create-home calmo
COPY --from=packages /venv /venv
WORKDIR /app
COPY worker.py ./
COPY activities activities
COPY bootstrap bootstrap
COPY calmo_pagerduty calmo_pagerduty
COPY ingress ingress
COPY workflows workflows
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER calmo
EXPOSE 8080
ENTRYPOINT ["python", "-m", "ingress"]
CMD ["ingress"]
