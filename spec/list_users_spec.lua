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
  local dintero = sandbox.data.dintero.users "T12345678"

  it("lists the first users of both providers", function()
    local output, errors, status = run(WITHOUT)
    assert.equal("", errors)
    assert.equal(0, status)
    local lines = lines_of(output)
    assert.equal("PROVIDER  STATUS    MFA  LAST SEEN   WHO", lines[1])
    for i = 1, 8 do
      local line, user = lines[i + 1], tesouro[i]
      assert.equal("tesouro", line:match "^%S+")
      check.contains(line, user.status, "<" .. user.email .. ">, " .. user.role)
      assert.equal(user.name:sub(1, 3), line:sub(38, 40))
      assert.equal("dintero", lines[i + 9]:match "^%S+")
      check.contains(lines[i + 9], "<" .. dintero[i].email .. ">")
    end
    assert.equal("", lines[18])
    assert.is_nil(output:gsub("\n", ""):find "%c")
  end)

  it("counts as the data say", function()
    local counts = {}
    local function count(key)
      counts[key] = (counts[key] or 0) + 1
    end
    for _, user in ipairs(tesouro) do
      count(user.status)
    end
    for _, user in ipairs(dintero) do
      count(user.deleted_at ~= nil and user.deleted_at ~= null and "DELETED" or "KEPT")
    end
    local output = run(WITHOUT)
    check.contains(output, ("\n%d users\n"):format(#tesouro + #dintero))
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
      ["/v1/accounts/T12345678/management/users"] = { { body = "[]" } },
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
      DINTERO_CLIENT_SECRET = "DINTERO_CLIENT_ID=x DINTERO_ACCOUNTS=T123",
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
