# Airflow's own image with this package in it. Every process of the stack that runs Python uses it,
# so that scheduler, workers, triggerer and API have the same versions.
FROM apache/airflow:3.3.2-python3.11

COPY --chown=airflow:0 . /opt/model-lifecycle
RUN pip install --no-cache-dir \
      --constraint /opt/model-lifecycle/constraints.txt \
      "/opt/model-lifecycle[amazon,api,celery,demo,postgres,s3]" psycopg2-binary
# Volumes are mounted here; they take over this owner.
RUN mkdir -p /opt/airflow/auth /opt/airflow/registry
