// An MCP server that @cloudflare/workers-oauth-provider protects, with its authorization
// server, in workerd. The JSON object in the one argument names:
//
//	issuer    issuer identifier, and the address that others reach it by; the MCP server is
//	          at /mcp of it
//	port      port of 127.0.0.1 to listen on; 0 takes a free one
//	provider  the identity provider whose ID-JAGs are taken
//
// It says {"port"} when it listens. This process fetches the identity provider's keys, and
// trusts the certificates of NODE_EXTRA_CA_CERTS: workerd has no such option.

import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { Miniflare, Response } from 'miniflare';

const o = JSON.parse(process.argv[2]);
const library = createRequire(import.meta.url).resolve('@cloudflare/workers-oauth-provider');
const keys = o.provider + '/jwks.json';

const worker = `
import { OAuthProvider } from './oauth-provider.js';

const tools = [
    { name: 'get_time', inputSchema: { type: 'object' } },
    { name: 'whoami', inputSchema: { type: 'object' } }
];

// What an MCP server of the revision 2025-06-18 has to answer, without sessions.
async function mcp(request, ctx) {
    if (request.method !== 'POST') return new Response(null, { status: 405 });
    const { id, method, params } = await request.json();
    if (id === undefined) return new Response(null, { status: 202 });
    const answer = (result) => Response.json({ jsonrpc: '2.0', id, result });
    switch (method) {
        case 'initialize':
            return answer({ protocolVersion: '2025-06-18', capabilities: { tools: {} }, serverInfo: { name: 'worker', version: '1' } });
        case 'tools/list':
            return answer({ tools });
        case 'tools/call': {
            const out = params.name === 'whoami'
                ? { subject: ctx.props.subject, scopes: ctx.auth?.scope ?? [] }
                : { time: new Date().toISOString(), zone: 'UTC' };
            return answer({ content: [], structuredContent: out });
        }
        default:
            return Response.json({ jsonrpc: '2.0', id, error: { code: -32601, message: 'no such method' } });
    }
}

export default new OAuthProvider({
    apiRoute: '/mcp',
    apiHandler: { fetch: (request, env, ctx) => mcp(request, ctx) },
    defaultHandler: { fetch: () => new Response('nobody logs in here', { status: 404 }) },
    authorizeEndpoint: '/authorize',
    tokenEndpoint: '/token',
    clientRegistrationEndpoint: '/register',
    scopesSupported: ['user', 'extra'],
    requiredScopes: ['user'],
    resourceMetadata: { resource: ${JSON.stringify(o.issuer + '/mcp')}, authorization_servers: [${JSON.stringify(o.issuer)}] },
    enterpriseManagedAuthorization: {
        trustedIssuers: async ({ iss }) =>
            iss === ${JSON.stringify(o.provider)} ? { issuer: iss, jwksUri: ${JSON.stringify(keys)}, algorithms: ['RS256', 'ES256'] } : null,
        mapClaims: async ({ claims, requestedScope }) => ({
            userId: claims.sub,
            scope: requestedScope,
            props: { subject: claims.sub },
            accessTokenTTL: 60 // less than the life of an ID-JAG
        })
    },
    onError: (e) => console.error(e.code, e.description, JSON.stringify(e.internal))
});
`;

const miniflare = new Miniflare({
    host: '127.0.0.1',
    port: o.port,
    compatibilityDate: '2026-04-01',
    compatibilityFlags: ['global_fetch_strictly_public'],
    kvNamespaces: ['OAUTH_KV'],
    modules: [
        { type: 'ESModule', path: 'worker.js', contents: worker },
        { type: 'ESModule', path: 'oauth-provider.js', contents: await readFile(library, 'utf8') }
    ],
    outboundService: async (request) => {
        if (request.url !== keys) return new Response(null, { status: 404 });
        const got = await globalThis.fetch(keys);
        return new Response(await got.text(), { status: got.status, headers: { 'Content-Type': 'application/json' } });
    }
});
const at = await miniflare.ready;
// Miniflare ends the process with another status on this signal.
process.removeAllListeners('SIGTERM');
process.on('SIGTERM', async () => {
    await miniflare.dispose();
    process.exit(0);
});
console.log(JSON.stringify({ port: Number(at.port) }));
