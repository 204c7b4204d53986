// An MCP client made of the official TypeScript SDK and its own OAuth code. It
// does what the JSON object in its one argument says, and tells about it in
// lines of JSON on stdout:
//
//	server        address of the MCP server
//	steps         names of tools to call, or "revoke"; in order
//	refresh       whether to ask for refresh tokens when registering
//	client        client id, where one was registered beforehand
//	document      address of a client ID metadata document
//	callbackPort  port of the redirect address; 0 takes a free one
//	revoke        address at which "revoke" gives up the access token
//
// {"visit"} asks for a login at that address; then {"tools"}, one {"step", "output"} per step, and {"error"} where it ended.
// {"request"} is said of every request, with its status.

import { createServer } from 'node:http';
import { randomBytes } from 'node:crypto';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js';

const job = JSON.parse(process.argv[2]);
const tell = (line) => process.stdout.write(JSON.stringify(line) + '\n');

// watched is fetch, with a line for each request.
async function watched(url, init) {
    const response = await fetch(url, init);
    const method = init?.method ?? 'GET';
    const grant = init?.body ? new URLSearchParams(String(init.body)).get('grant_type') : null;
    tell({ request: [method, new URL(url).pathname, grant, response.status].filter((x) => x !== null).join(' ') });
    return response;
}

// Provider keeps in memory what the SDK gives it, unchanged.
class Provider {
    constructor(redirectUrl) {
        this.redirectUrl = redirectUrl;
        this.clientMetadataUrl = job.document || undefined;
        this.client = job.client ? { client_id: job.client } : undefined;
        this.clientMetadata = {
            client_name: 'TypeScript SDK',
            redirect_uris: [redirectUrl],
            grant_types: job.refresh ? ['authorization_code', 'refresh_token'] : ['authorization_code'],
            response_types: ['code'],
            token_endpoint_auth_method: 'none'
        };
    }
    state() {
        this.expected = randomBytes(16).toString('hex');
        return this.expected;
    }
    clientInformation() {
        return this.client;
    }
    saveClientInformation(client) {
        this.client = client;
    }
    tokens() {
        return this.kept;
    }
    saveTokens(tokens) {
        this.kept = tokens;
    }
    saveCodeVerifier(verifier) {
        this.verifier = verifier;
    }
    codeVerifier() {
        return this.verifier;
    }
    redirectToAuthorization(url) {
        this.back = new Promise((resolve) => (this.arrive = resolve));
        tell({ visit: url.toString() });
    }
    // returned waits for the browser to come back and gives the code.
    async returned() {
        const q = await this.back;
        if (q.get('state') !== this.expected) throw new Error('state is not what was sent');
        if (q.has('error')) throw Object.assign(new Error(q.get('error')), { name: 'Denied' });
        return q.get('code');
    }
}

const callback = createServer((req, res) => {
    const url = new URL(req.url, 'http://127.0.0.1');
    if (url.pathname !== '/callback') {
        res.writeHead(404).end();
        return;
    }
    res.end('You can close this page.\n');
    provider.arrive(url.searchParams);
});
await new Promise((resolve) => callback.listen(job.callbackPort ?? 0, '127.0.0.1', resolve));
const provider = new Provider(`http://127.0.0.1:${callback.address().port}/callback`);
const transport = () => new StreamableHTTPClientTransport(new URL(job.server), { authProvider: provider, fetch: watched });

// withLogin does something, and once more after a login that it turned out to need.
async function withLogin(on, action, again = action) {
    try {
        return await action();
    } catch (e) {
        if (!(e instanceof UnauthorizedError)) throw e;
        await on().finishAuth(await provider.returned());
        return await again();
    }
}

let code = 0;
let line = transport();
const client = new Client({ name: 'typescript-sdk', version: '1' });
try {
    await withLogin(
        () => line,
        () => client.connect(line),
        () => client.connect((line = transport())) // one that has been started cannot start again
    );
    tell({ tools: (await client.listTools()).tools.map((t) => t.name) });
    for (const step of job.steps) {
        if (step === 'revoke') {
            const body = new URLSearchParams({ token: provider.kept.access_token, client_id: provider.client.client_id });
            const r = await fetch(job.revoke, { method: 'POST', body });
            if (!r.ok) throw new Error(`revocation: ${r.status}`);
            tell({ step });
            continue;
        }
        const result = await withLogin(
            () => line,
            () => client.callTool({ name: step, arguments: {} })
        );
        if (result.isError) throw new Error(`${step} failed`);
        tell({ step, output: result.structuredContent });
    }
    await line.terminateSession();
} catch (e) {
    tell({ error: `${e.name}: ${e.message}` });
    code = 1;
}
await client.close();
callback.close();
callback.closeAllConnections();
process.exitCode = code;
