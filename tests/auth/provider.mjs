// A certified OpenID provider: `node provider.mjs PORT APPLICATION`. One person, ada; her second factor is 123456.
// POST /rotate replaces its signing key without an overlap. Each grant is told on standard output.
import { generateKeyPairSync } from "node:crypto";
import { createServer } from "node:http";
import Provider, { interactionPolicy } from "oidc-provider";
// By its path: the package does not offer it. Two providers share what they know, as two releases of one do.
import { createMemoryAdapter } from "./node_modules/oidc-provider/lib/adapters/memory_adapter.js";

const [port, application] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;
const PASSWORD = "urn:app:pwd";
const SECOND_FACTOR = "urn:app:mfa";

const memory = createMemoryAdapter();
const policy = interactionPolicy.base();
policy.get("login").checks.add(
  new interactionPolicy.Check("step_up", "a second factor is asked for", (ctx) => {
    const asked = (ctx.oidc.params.acr_values ?? "").split(" ");
    return asked.includes(SECOND_FACTOR) && ctx.oidc.session.acr !== SECOND_FACTOR;
  }),
);

function made(kid) {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const provider = new Provider(issuer, {
    adapter: memory,
    jwks: { keys: [{ ...privateKey.export({ format: "jwk" }), kid, alg: "RS256", use: "sig" }] },
    cookies: { keys: ["for tests"] },
    clients: [
      {
        client_id: "app",
        client_secret: process.env.CLIENT_SECRET,
        token_endpoint_auth_method: "client_secret_post",
        grant_types: ["authorization_code", "refresh_token"],
        redirect_uris: [`${application}/auth/callback/oidc`],
        post_logout_redirect_uris: [`${application}/signed-out`],
        backchannel_logout_uri: `${application}/auth/backchannel-logout/oidc`,
        backchannel_logout_session_required: true,
        require_auth_time: true,
      },
    ],
    claims: { openid: ["sub", "roles"], profile: ["name"], email: ["email"] },
    acrValues: [PASSWORD, SECOND_FACTOR],
    rotateRefreshToken: true,
    issueRefreshToken: (_ctx, client) => client.grantTypeAllowed("refresh_token"),
    features: { devInteractions: { enabled: false }, backchannelLogout: { enabled: true } },
    interactions: { policy, url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
    findAccount: (_ctx, id) => ({
      accountId: id,
      claims: () => ({ sub: id, name: "Ada Admin", email: "ada@example.com", roles: ["viewer"] }),
    }),
    loadExistingGrant: async (ctx) => {
      const { client, session } = ctx.oidc;
      const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
      grant.addOIDCScope("openid profile email offline_access");
      await grant.save();
      return grant;
    },
    // It calls its clients on this machine, which it refuses by itself.
    fetch: (url, { dispatcher, ...options }) => fetch(url, options),
  });
  provider.on("grant.success", (ctx) => console.log(`grant ${ctx.oidc.params.grant_type}`));
  provider.on("grant.error", (_ctx, error) => console.log(`refused ${error.error}`));
  provider.on("backchannel.success", () => console.log("backchannel told"));
  provider.on("backchannel.error", (_ctx, error) => console.log(`backchannel ${error.message}`));
  provider.on("server_error", (_ctx, error) => console.log(`error ${error.stack}`));
  return provider;
}

const FORM = (asked) => `<!doctype html><title>Sign in</title><form method="post">
<label>Name <input name="name"></label>
${asked ? '<label>Second factor <input name="code"></label>' : ""}
<button>Sign in</button></form>`;

async function interact(provider, request, response) {
  const { params } = await provider.interactionDetails(request, response);
  const asked = (params.acr_values ?? "").split(" ").includes(SECOND_FACTOR);
  if (request.method === "GET") {
    response.setHeader("content-type", "text/html").end(FORM(asked));
    return;
  }
  let body = "";
  for await (const chunk of request) body += chunk;
  const form = new URLSearchParams(body);
  if (asked && form.get("code") !== "123456") {
    response.writeHead(401).end("wrong code");
    return;
  }
  const login = { accountId: form.get("name"), acr: asked ? SECOND_FACTOR : PASSWORD };
  await provider.interactionFinished(request, response, { login });
}

let generation = 1;
let provider = made("key-1");
createServer(async (request, response) => {
  if (request.url === "/rotate") {
    provider = made(`key-${++generation}`);
    response.end(provider.issuer);
  } else if (request.url.startsWith("/interaction/")) {
    await interact(provider, request, response);
  } else {
    await provider.callback()(request, response);
  }
}).listen(Number(port), "127.0.0.1", () => console.log("ready"));
