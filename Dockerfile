# The package as an image: `ringmesh` over swarm files. Plain enough for builders without BuildKit.
#   docker build --tag ringmesh .
#   docker build --tag ringmesh-broker --target broker .
ARG NODE_IMAGE=node:26-bookworm-slim
ARG NATS_IMAGE=nats:2.10

FROM ${NATS_IMAGE} AS nats

# No package's script runs in a build: LMDB comes built, and Node is that of the image.
FROM ${NODE_IMAGE} AS build
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY . .
RUN PATH="$PWD/node_modules/.bin:$PATH" node tools/build.ts \
 && npm pack --ignore-scripts --silent --pack-destination /tmp \
 && mkdir /tmp/packed && tar -xzf /tmp/ringmesh-*.tgz --strip-components=1 -C /tmp/packed \
 && chmod 755 /tmp/packed/dist/swarm/cli/main.js

FROM ${NODE_IMAGE} AS production
WORKDIR /srv
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts --omit=dev

# NATS with what can ask it how it is: its own image has no shell. The server is in one of two places, by the image's kind.
FROM ${NODE_IMAGE} AS broker
COPY --from=nats /nats-serve[r] /usr/local/bin/nats-serve[r] /usr/local/bin/
COPY compose/image/broker-health /usr/local/bin/
RUN install -d -o 1000 -g 1000 -m 700 /var/lib/ringmesh /var/lib/ringmesh/broker
USER 1000:1000
ENTRYPOINT ["nats-server"]
CMD ["--config", "/var/lib/ringmesh/broker/nats.conf"]

FROM ${NODE_IMAGE}
COPY --from=production /srv/node_modules /srv/node_modules
COPY --from=build /tmp/packed /srv/node_modules/ringmesh
COPY compose/image/node-health compose/image/provision compose/image/verify-logs /usr/local/bin/
COPY examples /srv/examples
# A new volume takes over the owner of the folder that it is mounted on.
RUN ln -s /srv/node_modules/ringmesh/dist/swarm/cli/main.js /usr/local/bin/ringmesh \
 && cd /var/lib && install -d -o 1000 -g 1000 -m 700 /srv/swarm ringmesh ringmesh/realm ringmesh/broker ringmesh/log \
    ringmesh/anchors ringmesh/out ringmesh/keys ringmesh/keys-coordinator ringmesh/keys-researcher ringmesh/keys-reporter
WORKDIR /srv/examples
USER 1000:1000
ENTRYPOINT ["ringmesh"]
CMD ["--help"]
