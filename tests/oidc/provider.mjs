// A certified provider, as its package ships it: people, clients and port come as JSON in the first argument.
import Provider from "oidc-provider";

const { port, people, clients, features = {} } = JSON.parse(process.argv[2]);
const issuer = `http://127.0.0.1:${port}`;
const provider = new Provider(issuer, {
  clients,
  claims: {
    openid: ["sub"],
    email: ["email", "email_verified"],
    profile: ["name", "picture", "preferred_username"],
  },
  findAccount: (_context, id) => ({ accountId: id, claims: () => ({ sub: id, ...people[id] }) }),
  issueRefreshToken: (_context, client, code) =>
    client.grantTypeAllowed("refresh_token") && code.scopes.has("offline_access"),
  rotateRefreshToken: true,
  pkce: { required: () => true },
  features: { devInteractions: { enabled: true }, revocation: { enabled: true }, ...features },
  cookies: { keys: ["of no secret: a test's"] },
});
provider.listen(port, "127.0.0.1", () => console.log("listening"));
