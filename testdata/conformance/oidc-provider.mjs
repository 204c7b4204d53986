// An authorization server made of oidc-provider with its stock policy, for the
// MCP server that the JSON object in its one argument names:
//
//	issuer        issuer identifier, and the address that others reach it by
//	port          port of 127.0.0.1 to listen on; 0 takes a free one
//	resource      the MCP server that tokens are for
//	scopes        the scopes of that server
//	format        "opaque" or "jwt" access tokens
//	registration  whether clients may register themselves
//	documents     whether a client may be known by its metadata document
//	device        whether a user may decide at another device
//	bound         whether tokens can be bound to keys (DPoP); proofs then need a nonce
//	introspector  {id, secret} of the client that may introspect
//
// It says {"port"} when it listens. Clients, grants and tokens are kept in
// memory: a server that is started again has forgotten all of them.

import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import Provider, { errors } from 'oidc-provider';

const o = JSON.parse(process.argv[2]);

const provider = new Provider(o.issuer, {
    clients: [
        {
            client_id: o.introspector.id,
            client_secret: o.introspector.secret,
            grant_types: [],
            redirect_uris: [],
            response_types: []
        }
    ],
    cookies: { keys: ['development'] },
    features: {
        registration: { enabled: o.registration },
        clientIdMetadataDocument: { enabled: o.documents, ack: 'draft-02' },
        introspection: { enabled: true, allowedPolicy: (ctx, client) => client.clientId === o.introspector.id },
        revocation: { enabled: true },
        deviceFlow: { enabled: o.device },
        dPoP: { enabled: o.bound, nonceSecret: randomBytes(32), requireNonce: () => true },
        resourceIndicators: {
            enabled: true,
            getResourceServerInfo: (ctx, resource) => {
                if (resource !== o.resource) throw new errors.InvalidTarget();
                return {
                    scope: o.scopes.join(' '),
                    audience: resource,
                    accessTokenFormat: o.format,
                    accessTokenTTL: 3600,
                    jwt: { sign: { alg: 'RS256' } }
                };
            }
        }
    },
    // The provider's own fetch refuses special-use addresses; this one trusts the
    // certificates of NODE_EXTRA_CA_CERTS.
    fetch: (url, options) => {
        delete options.dispatcher;
        return globalThis.fetch(url, options);
    }
});
provider.on('server_error', (ctx, err) => console.error(err));

const server = createServer(provider.callback());
server.listen(o.port, '127.0.0.1', () => console.log(JSON.stringify({ port: server.address().port })));
process.on('SIGTERM', () => {
    server.closeAllConnections();
    server.close(() => process.exit(0));
});
