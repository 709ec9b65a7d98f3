# A camera for trying: an RTSP server that plays drawn people at a door, for two minutes at a time.
ARG PYTHON_IMAGE=python:3.13-slim
FROM ${PYTHON_IMAGE} AS build
WORKDIR /source
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONDONTWRITEBYTECODE=1
# The packages first: they change less often than the drawing code.
COPY deploy/locks/camera.txt deploy/locks/
RUN python -m venv /venv && /venv/bin/pip install --require-hashes -r deploy/locks/camera.txt
COPY maskgate maskgate
COPY producer producer
RUN /venv/bin/python -m producer draw-video /door.mp4 --seconds 120 --fps 10 --seed 1

FROM ${PYTHON_IMAGE}
# The distribution's Python has GStreamer's bindings.
RUN apt-get update -qq \
 && apt-get install -y -qq --no-install-recommends python3-gi gir1.2-gst-rtsp-server-1.0 \
      gstreamer1.0-plugins-base gstreamer1.0-plugins-good \
 && rm -rf /var/lib/apt/lists/*
COPY --from=build /door.mp4 /door.mp4
COPY --from=build /source/producer/scenes/rtsp_source.py /rtsp_source.py
USER 10001:10001
ENTRYPOINT ["/usr/bin/python3", "/rtsp_source.py", "/door.mp4"]
