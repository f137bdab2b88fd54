-- Servers that know who asks by a certificate of the client's, such as banks have.

local check = require "spec.support.check"
local nginx = require "spec.support.nginx"
local rollcall = require "rollcall"
local sandbox = require "spec.support.sandbox"

-- It shows whose certificate came, as a user, and gives a token to nobody else either.
local SERVER = [[
  server {
    listen 127.0.0.1:@PORT@ ssl;
    ssl_certificate @TLS@/server.pem;
    ssl_certificate_key @TLS@/server.key;
    ssl_client_certificate @FILES@/cert.pem;
    ssl_verify_client on;
    location = /token { return 200 '{"access_token":"t1","expires_in":60}'; }
    location = /people { return 200 '{"data":[{"id":"$ssl_client_s_dn"}]}'; }
  }
]]

local files, server, url

setup(function()
  files = nginx.output_of "mktemp -d":match "^[^\n]+"
  for _, name in ipairs { "", "other-" } do
    nginx.output_of(("cd %s && openssl req -x509 -nodes -days 1 -subj '/CN=nightly review' -newkey ec"
      .. " -pkeyopt ec_paramgen_curve:P-256 -keyout %skey.pem -out %scert.pem 2>&1"):format(files, name, name))
  end
  nginx.output_of(("cd %s && cat cert.pem key.pem >both.pem"):format(files))
  local values = { PORT = tostring(nginx.free_port()), FILES = files, TLS = sandbox.ca_file:match "^(.*)/" }
  server = nginx.start { http = (SERVER:gsub("@(%u+)@", values)), server = "" }
  url = "https://127.0.0.1:" .. values.PORT
end)

teardown(function()
  server:stop()
  nginx.output_of("rm -r " .. files)
end)

--- What a walk makes of the server, with these files of the client's: the ids, or nil and the error.
local function walk(certificate, key)
  local client = rollcall.client({
    name = "bank",
    base_url = false,
    auth = { type = "client_credentials", path = "/token" },
    users = { path = "/people", items = "/data", paging = { type = "none" } },
  }, {
    base_url = url,
    client_id = "id",
    client_secret = "secret",
    ca_file = sandbox.ca_file,
    client_cert = certificate and files .. "/" .. certificate,
    client_key = key and files .. "/" .. key,
    proxy = "",
    retry = false,
  })
  local users, err = client:users():collect()
  client:close()
  return users and users[1].id, err
end

describe("a client's certificate", function()
  it("is shown to the server, and to its token endpoint", function()
    assert.equal("CN=nightly review", (walk("cert.pem", "key.pem")))
  end)

  it("may stand in one file with its key", function()
    assert.equal("CN=nightly review", (walk "both.pem"))
  end)

  it("is missed by the server, which says so", function()
    local id, err = walk()
    assert.is_nil(id)
    check.failure(err, "auth")
    check.contains(err.message, "answered 400", "No required SSL certificate was sent")
  end)

  it("is refused where it is another one", function()
    local id, err = walk("other-cert.pem", "other-key.pem")
    assert.is_nil(id)
    check.failure(err, "auth")
    check.contains(err.message, "answered 400", "The SSL certificate error")
  end)

  it("does not go with another one's key", function()
    local id, err = walk("cert.pem", "other-key.pem")
    assert.is_nil(id)
    check.failure(err, "tls")
    check.contains(err.message, "other-key.pem")
  end)
end)
