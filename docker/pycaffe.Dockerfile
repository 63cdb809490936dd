# Caffe 1.0 with pycaffe (CPU), as Debian 11 packages it: the judge of `make crosscheck` and `make fixtures`.
#   docker build -t caffeconv-pycaffe -f docker/pycaffe.Dockerfile docker
#   CAFFECONV_PYCAFFE="docker run --rm -i --network none caffeconv-pycaffe python3"
FROM debian:bullseye
ARG DEBIAN_MIRROR=""
COPY bring_up_pycaffe.sh /root/
RUN if [ -n "$DEBIAN_MIRROR" ]; then echo "deb $DEBIAN_MIRROR bullseye main" >/etc/apt/sources.list; fi \
    && /root/bring_up_pycaffe.sh packages && rm -rf /var/lib/apt/lists/*
CMD ["python3"]
