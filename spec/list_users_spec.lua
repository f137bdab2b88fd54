local check = require "spec.support.check"
local sandbox = require "spec.support.sandbox"

local LUA = rawget(_G, "jit") and "luajit" or "lua5.4"

setup(function()
  sandbox.reset()
end)
teardown(sandbox.restore)

--- Runs the example in an environment that was changed so: output, complaints, status.
local function run(variables)
  local complaints = os.tmpname()
  local command = ("env %s TZ=UTC %s examples/list_users.lua 2>%s; echo $?"):format(variables, LUA, complaints)
  local process = assert(io.popen(command))
  local output, status = process:read("*a"):match "^(.-)(%d+)\n$"
  process:close()
  local file = assert(io.open(complaints))
  local errors = file:read "*a"
  file:close()
  os.remove(complaints)
  return output, errors, tonumber(status)
end

local WITHOUT = "-u TESOURO_CLIENT_ID -u DINTERO_CLIENT_ID"

local function lines_of(text)
  local lines = {}
  for line in text:gmatch "([^\n]*)\n" do
    lines[#lines + 1] = line
  end
  return lines
end

describe("examples/list_users.lua", function()
  local null = sandbox.data.null
  local tesouro = sandbox.data.tesouro.users { status = "ALL" }
  local dintero = {}
  for _, account in ipairs { "T12345678", "P87654321" } do
    for _, user in ipairs(sandbox.data.dintero.users(account)) do
      dintero[#dintero + 1] = user
    end
  end

  it("lists the first users of both providers, and sums up all", function()
    local output, errors, status = run(WITHOUT)
    assert.equal("", errors)
    assert.equal(0, status)
    local lines = lines_of(output)
    assert.truthy(lines[1]:find "^PROVIDER%s+EMAIL%s+NAME%s+STATUS%s+ROLES%s+MFA%s+LAST SEEN$", lines[1])
    local email = lines[1]:find("EMAIL", 1, true)
    local name = lines[1]:find("NAME", 1, true)
    for i = 2, 9 do
      assert.equal("dintero", lines[i]:match "^%S+")
    end
    for i = 10, 17 do
      assert.equal("tesouro", lines[i]:match "^%S+")
      assert.equal(tesouro[i - 9].email, lines[i]:sub(email):match "^%S+")
      assert.equal(tesouro[i - 9].name:sub(1, 3), lines[i]:sub(name, name + 2))
      check.contains(lines[i], tesouro[i - 9].status, tesouro[i - 9].role)
    end
    assert.equal("", lines[18])
    assert.is_nil(output:gsub("\n", ""):find "%c")
  end)

  it("counts as the data say", function()
    assert.equal("2026-01-01T00:00:00Z", sandbox.data.now)
    local stale_before = "2025-10-03T12:00:00Z" -- 90 days before the noon of that day
    local counts, stale, without_mfa = {}, 0, 0
    local function count(key)
      counts[key] = (counts[key] or 0) + 1
    end
    local function see(value)
      if value == nil or value == null or value < stale_before then
        stale = stale + 1
      end
    end
    for _, user in ipairs(tesouro) do
      count(user.status)
      see(user.lastLoggedInDateTime)
    end
    for _, user in ipairs(dintero) do
      count(user.deleted_at ~= nil and user.deleted_at ~= null and "DELETED" or "KEPT")
      see(user.last_seen_at)
      local configuration = user.configuration
      local mfa = type(configuration) == "table" and configuration.mfa
      if type(mfa) == "table" then
        local function on(factor)
          return type(mfa[factor]) == "table" and mfa[factor].enabled == true
        end
        without_mfa = without_mfa + ((on "sms" or on "totp") and 0 or 1)
      end
    end
    local output = run(WITHOUT)
    check.contains(output,
      ("\n%d users\n"):format(#tesouro + #dintero),
      ("\n  %d known to have no MFA\n"):format(without_mfa),
      ("\n  %d not seen for 90 days, or never\n"):format(stale))
    check.contains(output:match "\n  dintero [^\n]*", counts.KEPT .. " ACTIVE", counts.DELETED .. " DELETED")
    for _, status in ipairs { "ACTIVE", "INACTIVE", "INVITED" } do
      check.contains(output:match "\n  tesouro [^\n]*", ("%d %s"):format(counts[status], status))
    end
  end)

  it("shows nothing that a terminal would obey, or that turns a line around", function()
    local server = require("spec.support.server").start()
    finally(function()
      server:stop()
    end)
    local token, users = { body = '{"access_token":"t","expires_in":3600}' },
      '[{"id":"1","email":"a\194\155b","name":"c\216\156d\226\128\174e\226\129\166f"}]'
    server:script {
      ["/openid/connect/token"] = { token },
      ["/identity/v1/users"] = { { body = ('{"data":%s}'):format(users) } },
      ["/v1/accounts/T12345678/auth/token"] = { token },
      ["/v1/accounts/P87654321/auth/token"] = { token },
      ["/v1/accounts/T12345678/management/users"] = { { body = "[]" } },
      ["/v1/accounts/P87654321/management/users"] = { { body = "[]" } },
    }
    local output, errors = run(("%s SANDBOX_DINTERO_ACCOUNT=T12345678 SANDBOX_TESOURO_URL=%s SANDBOX_DINTERO_URL=%s")
      :format(WITHOUT, server.url, server.url))
    assert.equal("", errors)
    check.contains(lines_of(output)[2], "a b", "cdef")
  end)

  it("says what it needs where there is nothing to list", function()
    local output, errors, status = run(WITHOUT .. " -u SANDBOX_TESOURO_URL")
    assert.equal("", output)
    assert.equal(1, status)
    check.contains(errors, "TESOURO_CLIENT_ID", "DINTERO_ACCOUNT", "make sandbox")
  end)

  it("fails in a line, without the secret, where the secret is wrong", function()
    local _, errors, status = run(WITHOUT .. " SANDBOX_CLIENT_SECRET=hunter22-wrong")
    assert.equal(1, status)
    check.contains(errors, "auth: ", "status 401")
    check.no_secret(errors, { "hunter22-wrong" })
  end)

  it("says in one line what is missing, or wrong, and takes an empty variable for none", function()
    for needed, variables in pairs {
      DINTERO_ACCOUNT = "DINTERO_CLIENT_ID=x DINTERO_CLIENT_SECRET=hunter22-wrong DINTERO_ACCOUNT=",
      DINTERO_CLIENT_SECRET = "DINTERO_CLIENT_ID=x DINTERO_ACCOUNT=T123",
      TESOURO_CLIENT_SECRET = "TESOURO_CLIENT_ID=x TESOURO_CLIENT_SECRET=",
      ["accounts.2"] = "DINTERO_CLIENT_ID=x DINTERO_CLIENT_SECRET=hunter22-wrong DINTERO_ACCOUNT=T123,X1",
    } do
      local output, errors, status = run(WITHOUT .. " " .. variables)
      assert.equal("", output)
      assert.equal(1, status)
      assert.truthy(errors:find "^[^\n]+\n$", errors)
      check.contains(errors, needed)
      check.no_secret(errors, { "hunter22-wrong" })
    end
    local _, errors, status = run(WITHOUT .. " TESOURO_CLIENT_ID= DINTERO_CLIENT_ID=")
    assert.equal("", errors)
    assert.equal(0, status)
  end)

  it("takes real credentials over the sandbox's, and says what is missing of them", function()
    local _, errors, status = run(WITHOUT .. " DINTERO_CLIENT_ID=x DINTERO_CLIENT_SECRET=hunter22-wrong")
    assert.equal(1, status)
    check.contains(errors:lower(), "account")
    check.no_secret(errors, { "hunter22-wrong" })
  end)
end)
