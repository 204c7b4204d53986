// An MCP client made of oauth4webapi, which does the OAuth, and a few lines of
// JSON-RPC. It does what the JSON object in its one argument says, and tells
// about it in lines of JSON on stdout, as client.mjs does. It goes by its own
// reading of the specifications: the resource metadata that the challenge names,
// the issuer's metadata, registration, S256, state and iss, resource in every
// token request, a refresh for an invalid token, a new authorization with the
// challenged scopes for an insufficient one.

import { createServer } from 'node:http';
import * as oauth from 'oauth4webapi';

const job = JSON.parse(process.argv[2]);
const tell = (line) => process.stdout.write(JSON.stringify(line) + '\n');
const revision = '2025-11-25';

// watched is fetch, with a line for each request.
async function watched(url, init) {
    const response = await fetch(url, init);
    const grant = init?.body instanceof URLSearchParams ? init.body.get('grant_type') : null;
    tell({ request: [init?.method ?? 'GET', new URL(url).pathname, grant, response.status].filter((x) => x !== null).join(' ') });
    return response;
}
const options = { [oauth.allowInsecureRequests]: true, [oauth.customFetch]: watched };

let arrive;
const callback = createServer((req, res) => {
    const url = new URL(req.url, 'http://127.0.0.1');
    if (url.pathname !== '/callback') {
        res.writeHead(404).end();
        return;
    }
    res.end('You can close this page.\n');
    arrive(url);
});
await new Promise((resolve) => callback.listen(job.callbackPort ?? 0, '127.0.0.1', resolve));
const redirect = `http://127.0.0.1:${callback.address().port}/callback`;

let as, resource, client, tokens;
const none = oauth.None();

async function discover(metadata) {
    const at = new URL(job.server);
    resource = await oauth.processResourceDiscoveryResponse(at, await watched(metadata, { headers: { accept: 'application/json' } }));
    const issuer = new URL(resource.authorization_servers[0]);
    as = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...options }));
}

async function register() {
    if (job.client) return { client_id: job.client };
    const wanted = {
        client_name: 'oauth4webapi',
        redirect_uris: [redirect],
        grant_types: job.refresh ? ['authorization_code', 'refresh_token'] : ['authorization_code'],
        response_types: ['code'],
        token_endpoint_auth_method: 'none'
    };
    return oauth.processDynamicClientRegistrationResponse(await oauth.dynamicClientRegistrationRequest(as, wanted, options));
}

async function authorize(scope) {
    const verifier = oauth.generateRandomCodeVerifier();
    const state = oauth.generateRandomState();
    const url = new URL(as.authorization_endpoint);
    for (const [k, v] of Object.entries({
        response_type: 'code',
        client_id: client.client_id,
        redirect_uri: redirect,
        scope,
        state,
        code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
        resource: resource.resource
    })) {
        url.searchParams.set(k, v);
    }
    const back = new Promise((resolve) => (arrive = resolve));
    tell({ visit: url.toString() });
    const params = oauth.validateAuthResponse(as, client, await back, state);
    const response = await oauth.authorizationCodeGrantRequest(as, client, none, params, redirect, verifier, {
        additionalParameters: { resource: resource.resource },
        ...options
    });
    tokens = await oauth.processAuthorizationCodeResponse(as, client, response);
}

async function refresh() {
    const response = await oauth.refreshTokenGrantRequest(as, client, none, tokens.refresh_token, {
        additionalParameters: { resource: resource.resource },
        ...options
    });
    tokens = { ...tokens, ...(await oauth.processRefreshTokenResponse(as, client, response)) };
}

let session;
let id = 0;

// post sends one message, with a token where there is one.
async function post(message) {
    const headers = new Headers({
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': revision
    });
    if (session) headers.set('mcp-session-id', session);
    const body = JSON.stringify({ jsonrpc: '2.0', ...message });
    if (!tokens) return watched(job.server, { method: 'POST', headers, body });
    return oauth.protectedResourceRequest(tokens.access_token, 'POST', new URL(job.server), headers, body, options);
}

// challenged gives the parameters of the Bearer challenge that a request met.
async function challenged(action) {
    try {
        const response = await action();
        if (response.status !== 401) return { response };
        const [, parameters] = response.headers.get('www-authenticate').split(/^Bearer /);
        return { status: 401, ...Object.fromEntries([...parameters.matchAll(/(\w+)="([^"]*)"/g)].map((m) => [m[1], m[2]])) };
    } catch (e) {
        if (!(e instanceof oauth.WWWAuthenticateChallengeError)) throw e;
        return { status: e.status, ...e.cause.find((c) => c.scheme === 'bearer').parameters };
    }
}

// send gets a message through: it logs in, refreshes or steps up once each.
async function send(message) {
    for (let tries = 0; tries < 4; tries++) {
        const c = await challenged(() => post(message));
        if (c.response) return c.response;
        if (!as) {
            await discover(c.resource_metadata);
            client = await register();
        }
        if (c.error === 'insufficient_scope') await authorize(c.scope);
        else if (c.error === 'invalid_token' && tokens?.refresh_token) await refresh();
        else await authorize(c.scope ?? resource.scopes_supported.join(' '));
    }
    throw new Error('still refused after a login, a refresh and a step-up');
}

async function ask(method, params) {
    const response = await send({ id: ++id, method, params });
    session = response.headers.get('mcp-session-id') ?? session;
    const text = await response.text();
    const json = response.headers.get('content-type').startsWith('text/event-stream')
        ? text
              .split('\n')
              .filter((l) => l.startsWith('data:'))
              .map((l) => l.slice(5))
              .at(-1)
        : text;
    const answer = JSON.parse(json);
    if (answer.error) throw new Error(answer.error.message);
    return answer.result;
}

let code = 0;
try {
    await ask('initialize', { protocolVersion: revision, capabilities: {}, clientInfo: { name: 'oauth4webapi', version: '1' } });
    await send({ method: 'notifications/initialized' });
    tell({ tools: (await ask('tools/list', {})).tools.map((t) => t.name) });
    for (const step of job.steps) {
        if (step === 'revoke') {
            await oauth.processRevocationResponse(
                await oauth.revocationRequest(as, client, none, tokens.access_token, { [oauth.allowInsecureRequests]: true })
            );
            tell({ step });
            continue;
        }
        const result = await ask('tools/call', { name: step, arguments: {} });
        if (result.isError) throw new Error(`${step} failed`);
        tell({ step, output: result.structuredContent });
    }
} catch (e) {
    tell({ error: `${e.name}: ${e.error ?? e.message}` });
    code = 1;
}
callback.close();
callback.closeAllConnections();
process.exitCode = code;
