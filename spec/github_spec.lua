local check = require "spec.support.check"
local rollcall = require "rollcall"

-- The example of "List organization members" in GitHub's REST reference, and a second member for the second page.
local MEMBER = '{"login":"octocat","id":1,"node_id":"MDQ6VXNlcjE=","avatar_url":"https://github.com/images/error/'
  .. 'octocat_happy.gif","gravatar_id":"","url":"https://api.github.com/users/octocat","html_url":"https://github.com/'
  .. 'octocat","type":"User","site_admin":false}'
local OTHER = '{"login":"hubot","id":2,"type":"User","site_admin":true}'

describe("GitHub", function()
  rollcall.conformance("github", { examples = { users = {
    { request = "GET https://api.github.com/orgs/github/members?per_page=1", response = "[" .. MEMBER .. "]",
      headers = { 'link: <https://api.github.com/organizations/9919/members?per_page=1&page=2>; rel="next", '
        .. '<https://api.github.com/organizations/9919/members?per_page=1&page=2>; rel="last"' } },
    { request = "GET https://api.github.com/organizations/9919/members?per_page=1&page=2", last = true,
      response = "[" .. OTHER .. "]",
      headers = { 'link: <https://api.github.com/organizations/9919/members?per_page=1&page=1>; rel="prev", '
        .. '<https://api.github.com/organizations/9919/members?per_page=1&page=1>; rel="first"' } },
  } } }):busted(describe, it, pending)

  local server
  setup(function()
    server = require("spec.support.server").start()
  end)
  teardown(function()
    server:stop()
  end)

  local function client(options)
    local config = { base_url = server.url, token = "tok-7f3a", org = "acme" }
    for name, value in pairs(options or {}) do
      config[name] = value
    end
    return rollcall.github(config)
  end

  it("shows no part of a token that the Link header echoes, wherever what is shown of it ends", function()
    local token = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.SECRETSECRETSECRET.abcdefghijklmnop"
    for _, before in ipairs { 130, 150, 190 } do
      server:script { ["/orgs/acme/members"] = { { body = "[{}]", headers = { "Link: bad " .. ("x"):rep(before)
        .. " Bearer " .. token } } } }
      local _, err = client({ token = token }):users():count()
      check.failure(err, "decode", { token:sub(1, 8) })
      check.contains(err.message, "the Link header cannot be read")
    end
  end)

  it("gives the common fields that a member has", function()
    server:script { ["/orgs/acme/members"] = { { body = "[" .. MEMBER .. "]" } } }
    local user = assert(client():users { role = "admin", filter = "2fa_disabled" }:first())
    assert.equal("github", user.provider)
    assert.equal(1, user.id)
    assert.equal("octocat", user.login)
    assert.equal("acme", user.account_id)
    assert.equal("octocat", user.name)
    for _, name in ipairs { "email", "status", "created_at", "last_seen_at", "role_names", "mfa" } do
      assert.is_nil(user[name], name)
    end
    local request = server:requests()[1]
    assert.equal("/orgs/acme/members?filter=2fa_disabled&role=admin&per_page=100", request.target)
    assert.equal("application/vnd.github+json", request.headers.accept)
    assert.equal("2022-11-28", request.headers["x-github-api-version"])
    assert.equal("Bearer tok-7f3a", request.headers.authorization)
  end)

  it("names a member by the name that GitHub gives, else by the login", function()
    server:script { ["/orgs/acme/members"] = { { body = '[{"id":1,"login":"octocat","name":"Mona Lisa"},'
      .. '{"id":2,"login":"hubot","name":null},{"id":3,"login":"other","name":""}]' } } }
    local users = assert(client():users():collect())
    assert.equal("Mona Lisa hubot other", users[1].name .. " " .. users[2].name .. " " .. users[3].name)
  end)

  it("walks several organizations", function()
    server:script { ["/orgs/acme/members"] = { { body = "[" .. MEMBER .. "]" } },
      ["/orgs/zeta/members"] = { { body = "[" .. MEMBER .. "," .. OTHER .. "]" } } }
    local mine = rollcall.github { base_url = server.url, token = "t", orgs = { "acme", "zeta" } }
    local by_org = { acme = 0, zeta = 0 }
    for user in mine:users() do
      by_org[user.account_id] = by_org[user.account_id] + 1
    end
    assert.same({ acme = 1, zeta = 2 }, by_org)
  end)

  it("waits for its limits, which it tells by 403, too", function()
    local core = require "rollcall.core"
    for _, headers in ipairs {
      { "Retry-After: 1" },
      { "X-RateLimit-Remaining: 0", ("X-RateLimit-Reset: %d"):format(os.time() + 2) },
    } do
      server:script { ["/orgs/acme/members"] = {
        { status = 403, headers = headers, body = '{"message":"API rate limit exceeded"}' },
          { body = "[" .. MEMBER .. "]" } } }
      local began = core.now()
      assert.equal(1, client({ retry = { base = 0.01 } }):users():count())
      assert.is_true(core.now() - began >= 0.9)
    end
  end)

  it("calls a limit that is far away an error, and what is forbidden another", function()
    server:script { ["/orgs/acme/members"] = { { status = 403, body = '{"message":"API rate limit exceeded"}',
      headers = { "X-RateLimit-Remaining: 0", ("X-RateLimit-Reset: %d"):format(os.time() + 3000) } } } }
    local _, err = client():users():count()
    check.failure(err, "rate_limit", { "tok-7f3a" })
    assert.equal(1, #server:requests())
    server:script { ["/orgs/acme/members"] = { { status = 403, body = '{"message":"Must have admin rights"}',
      headers = { "X-RateLimit-Remaining: 4999" } } } }
    _, err = client():users():count()
    check.failure(err, "auth", { "tok-7f3a" })
    check.contains(err.message, "Must have admin rights")
  end)

  it("needs an organization", function()
    check.misuse(function() rollcall.github { token = "t" } end, "github: org: missing")
    for _, org in ipairs { "", "a/b", "-x", "a b" } do
      check.misuse(function() rollcall.github { token = "t", org = org } end, "org: expected")
    end
    check.misuse(function() client():users { role = "owner" } end, 'role: "owner" is none of all, admin, member')
  end)
end)
