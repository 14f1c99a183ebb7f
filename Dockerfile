# The first stage installs locked and hashed packages. The second one holds the program, without build tools.
FROM python:3.12.11-slim-bookworm@sha256:519591d6871b7bc437060736b9f7456b8731f1499a57e22e6c285135ae657bf7 AS packages
COPY requirements.lock /
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --require-hashes --only-binary :all: -r /requirements.lock
# What is in the image, for scanners: CycloneDX. The build fails if that is not what the lock says.
COPY sbom.py /
RUN /venv/bin/python /sbom.py /requirements.lock 0.1.0 > /sbom.cdx.json

FROM python:3.12.11-slim-bookworm@sha256:519591d6871b7bc437060736b9f7456b8731f1499a57e22e6c285135ae657bf7
RUN useradd --system --uid 10001 --no-create-home calmo
COPY --from=packages /venv /venv
COPY --from=packages /sbom.cdx.json /sbom.cdx.json
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
