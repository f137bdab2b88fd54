-- `rollcall find` and `rollcall review`, as processes, against the sandbox.

local check = require "spec.support.check"
local cli = require "spec.support.cli"
local command = require "spec.support.command"
local sandbox = require "spec.support.sandbox"
local time = require "rollcall.time"

local run = command.run
local complaints = cli.complaints
local decoded = cli.decoded
local check_ids = cli.check_ids
local both = cli.both
local tesouro = cli.tesouro
local dintero = cli.dintero
local null = sandbox.data.null

setup(cli.begin)
teardown(cli.finish)
before_each(function()
  sandbox.reset()
end)

describe("rollcall find", function()
  it("finds a person in all sources, by email or by words of the name", function()
    local user = tesouro[40]
    local output, _, status = run { "find", user.email:upper(), "--format", "ndjson" }
    assert.equal(0, status)
    local found = decoded(output)
    assert.equal(1, #found)
    assert.equal(user.id, found[1].id)
    local expected = {}
    for _, one in ipairs(both()) do
      local text = (one.email .. "\n" .. (one.name ~= null and one.name or "")):lower()
      if text:find("lynx", 1, true) and text:find("noble", 1, true) then
        expected[#expected + 1] = one
      end
    end
    assert.is_true(#expected > 10)
    check_ids(expected, decoded((run { "find", "LYNX noble", "--format", "ndjson" })))
    check.contains((run { "find", user.email }), "SOURCE", "ACCOUNT ", "tesouro", user.organizationName, user.email)
  end)

  it("ends with 1 where there is nobody, and with 3 where nobody can be sure", function()
    local output, errors, status = run { "find", "nobody@nowhere.example" }
    assert.equal("", output)
    assert.equal(1, status)
    check.contains(errors, "in 2 sources")
    sandbox.plan_faults { provider = "dintero", seed = 1, chance = 1, kinds = { "html" } }
    status = select(2, complaints { "find", tesouro[1].email })
    assert.equal(3, status)
    status = select(2, complaints { "find", " " })
    assert.equal(2, status)
    errors, status = complaints { "find", "ada", "--bom" }
    assert.equal("rollcall: --bom is for --format csv\n", errors)
    assert.equal(2, status)
  end)
end)

describe("rollcall review", function()
  --- What the data say, by another way than the command's.
  local function counted(list)
    local count = { users = #list }
    local before = time.parse(sandbox.data.now) - 90 * 86400
    local function add(name)
      count[name] = (count[name] or 0) + 1
    end
    local function value(field)
      return field ~= null and field or nil
    end
    for _, user in ipairs(list) do
      local status = user.status or value(user.deleted_at) and "DELETED" or "ACTIVE"
      local seen = value(user.lastLoggedInDateTime or user.last_seen_at)
      add(status)
      if status == "INVITED" and not seen then
        add "never_came"
      end
      if status == "ACTIVE" then
        local sign = seen or value(user.createdDateTime or user.created_at)
        if sign and time.parse(sign) < before then
          add "stale"
        end
        local mfa = type(user.configuration) == "table" and user.configuration.mfa
        if type(mfa) == "table" then
          local function on(factor)
            return type(mfa[factor]) == "table" and mfa[factor].enabled == true
          end
          if not on "sms" and not on "totp" then
            add "no_mfa"
          end
        end
        local roles, is_admin = user.role and { user.role } or {}, false
        for _, role in ipairs(type(user.roles) == "table" and user.roles or {}) do
          roles[#roles + 1] = role.name
        end
        for _, role in ipairs(roles) do
          is_admin = is_admin or role:lower():find "admin" or role:lower():find "owner"
        end
        for _, one in ipairs(type(user.roles) == "table" and user.roles or {}) do
          is_admin = is_admin or table.concat(one.scope, " "):find "admin"
        end
        if is_admin or type(user.scope) == "table" and table.concat(user.scope, " "):find "admin" then
          add "admin"
        end
      end
    end
    return count
  end

  it("counts what the data say", function()
    local output, errors, status = run { "review", "--format", "csv" }
    assert.equal("", errors)
    assert.equal(0, status)
    local lines = command.lines(output:gsub("\r\n", "\n"))
    assert.equal("source,users,active,invited,inactive,deleted,no_mfa,stale,never_came,admin,complete", lines[1])
    local expected = { dintero = counted(dintero), tesouro = counted(tesouro) }
    expected.tesouro.no_mfa = "" -- it says nothing of it
    for i, name in ipairs { "dintero", "tesouro" } do
      local count, cells = expected[name], { name }
      for _, column in ipairs { "users", "ACTIVE", "INVITED", "INACTIVE", "DELETED", "no_mfa", "stale", "never_came",
        "admin" } do
        cells[#cells + 1] = count[column] or 0
      end
      cells[#cells + 1] = "true"
      assert.equal(table.concat(cells, ","), lines[i + 1])
    end
    assert.equal("total," .. (#tesouro + #dintero), lines[4]:match "^total,%d+")
    assert.is_true(expected.dintero.no_mfa > 0 and expected.tesouro.never_came > 0 and expected.tesouro.admin > 0)
  end)

  it("prints a table, and Markdown", function()
    local output = run { "review" }
    local lines = command.lines(output)
    assert.truthy(lines[1]:find "^SOURCE +USERS +ACTIVE +INVITED +INACTIVE +DELETED +NO MFA +STALE +NEVER CAME +ADMIN$")
    assert.truthy(lines[3]:find "^tesouro +3,500 ")
    assert.equal(4, #lines)
    output = run { "review", "tesouro", "--format", "markdown", "--days", "30" }
    check.contains(output, "Access review, 2026-01-01: stale is not seen for 30 days.", "| SOURCE | USERS | ACTIVE |",
      "| --- | ---: |", "| tesouro | 3,500 |")
  end)

  it("is not sure where a limit of the configuration has cut a source", function()
    local name = cli.configuration(cli.source_text(cli.CREDENTIALS .. ', query = { status = "ACTIVE", limit = 50 }'))
    local _, errors, status = run { "review", "--config", name, "--fail-on", "never-came" }
    assert.equal(3, status)
    check.contains(errors, "tesouro was cut by a limit of its configuration: the review is incomplete")
  end)

  it("marks what is not whole, since a source failed", function()
    for format, line in pairs { table = "^%s %%(incomplete%%)  ", markdown = "^| %s %%(incomplete%%) |",
      csv = "^%s,.*,false\r$" } do
      sandbox.reset()
      sandbox.plan_faults { provider = "tesouro", script = { { kind = "html" } } }
      local output, _, status = run { "review", "--format", format }
      assert.equal(3, status)
      local lines = command.lines(output)
      assert.truthy(lines[#lines]:find(line:format "total"), output)
      assert.truthy(lines[#lines - 1]:find(line:format "tesouro"), output)
      assert.is_nil(output:find("dintero (", 1, true))
    end
  end)

  it("ends with 1 for what --fail-on names, and only then", function()
    local _, errors, status = run { "review", "--fail-on", "no-mfa,stale" }
    assert.equal(1, status)
    check.contains(errors, "no-mfa", "stale")
    check.contains(errors, "tesouro says nothing of second factors")
    assert.is_nil(errors:find("dintero says", 1, true))
    errors, status = complaints { "review", "dintero", "--fail-on", "never-came" }
    assert.equal("", errors)
    assert.equal(0, status)
    for option, values in pairs {
      ["--days"] = { ["1000001"] = "1000001: expected a number of days", ["-1"] = "-1: expected a number of days" },
      ["--fail-on"] = { nomfa = "nomfa is none of no-mfa, stale, never-came, admin, all (did you mean no-mfa?)",
        ["stale,lost"] = "lost is none of no-mfa, stale, never-came, admin, all\n" },
      ["--list"] = { never = "never is none of ", [","] = "expected one or more of no-mfa" },
    } do
      for value, problem in pairs(values) do
        errors, status = complaints { "review", option, value }
        assert.equal(2, status)
        check.contains(errors, option .. ": " .. problem)
      end
    end
  end)

  it("takes for stale only whose last visit is known, or known not to have been", function()
    local server = require("spec.support.server").start()
    finally(function()
      server:stop()
    end)
    local LONG_AGO, LATELY = "2020-01-01T00:00:00Z", "2025-12-31T00:00:00Z"
    local function user(id, seen, made, more)
      return ('{"id":%q,"last_seen_at":%s,"created_at":%s%s}'):format(id, seen and ("%q"):format(seen) or "null",
        made and ("%q"):format(made) or "null", more or "")
    end
    local speaking = { user("never", nil, LONG_AGO), user("new", nil, LATELY), user("unknown"), user("gone", LONG_AGO),
      user("here", LATELY, LONG_AGO) }
    local silent = { user("silent", nil, LONG_AGO), user("admin", nil, LONG_AGO, ',"scope":["admin:users"]') }
    local answers = {}
    for path, list in pairs { ["/speaking"] = speaking, ["/silent"] = silent } do
      local answer = { body = "[" .. table.concat(list, ",") .. "]" }
      answers[path] = { answer, answer, answer, answer }
    end
    server:script(answers)
    local function source(name)
      return ([[%s = { base_url = %q, token = "hunter22-token", provider = { name = "own",
        base_url = { production = "https://own.example" },
        users = { path = "/%s", items = "", paging = { type = "none" } } } },]]):format(name, server.url, name)
    end
    local name = cli.configuration("return { sources = { " .. source "speaking" .. source "silent" .. " } }")
    local function review(...)
      return run { "review", "--config", name, "--now", "2026-01-01", ... }
    end
    local output, errors, status = review("--format", "csv")
    assert.equal("", errors)
    assert.equal(0, status)
    assert.equal("source,users,?,no_mfa,stale,never_came,admin,complete\r\nsilent,2,2,,,,1,true\r\n"
      .. "speaking,5,5,,2,,,true\r\ntotal,7,7,,2,,1,true\r\n", output)
    output = review("--list", "stale,admin", "--format", "ndjson", "--fields", "id,findings")
    local found = {}
    for _, one in ipairs(decoded(output)) do
      found[one.id] = table.concat(one.findings, " ")
    end
    check.same({ never = "stale", gone = "stale", admin = "admin" }, found)
    output = review("--list", "admin", "--format", "ndjson", "--fields", "id,findings")
    check.same({ { id = "admin", findings = { "admin" } } }, decoded(output))
    errors, status = select(2, review("silent", "--fail-on", "stale"))
    assert.equal("rollcall: silent says nothing of last visits: its users were not checked for stale\n", errors)
    assert.equal(0, status)
    local STALE = "rollcall: silent says nothing of last visits: its users were not checked for stale\n"
    errors, status = select(2, review("silent", "--list", "stale"))
    assert.equal(STALE, errors)
    assert.equal(0, status)
    errors = select(2, review("silent", "--list", "stale,no-mfa", "--fail-on", "stale"))
    assert.equal("rollcall: silent says nothing of second factors: its users were not checked for no-mfa\n" .. STALE,
      errors)
    errors, status = select(2, review("--fail-on", "stale"))
    assert.equal(1, status)
    check.contains(errors, "silent says nothing of last visits", "found what --fail-on names: 2 stale\n")
    assert.is_nil(errors:find("speaking says", 1, true))
    errors, status = select(2, review("--fail-on", "admin,never-came", "speaking"))
    assert.equal("rollcall: speaking says nothing of statuses: its users were not checked for never-came\n"
      .. "rollcall: speaking says nothing of roles or scopes: its users were not checked for admin\n", errors)
    assert.equal(0, status)
  end)

  it("has a column for each status, and takes an empty text for nothing", function()
    local server = require("spec.support.server").start()
    finally(function()
      server:stop()
    end)
    local users = {}
    for i, status in ipairs { "Active", "ACTIVE", "users", "no mfa", "INVITED", "" } do
      users[i] = ('{"id":%d,"status":%q,"last_seen_at":"","created_at":"2020-01-01T00:00:00Z"}'):format(i, status)
    end
    server:script { ["/u"] = { { body = "[" .. table.concat(users, ",") .. "]" } } }
    local name = cli.configuration(([[return { sources = { own = { base_url = %q, token = "hunter22-token",
      provider = { name = "own", base_url = { production = "https://own.example" },
      users = { path = "/u", items = "", paging = { type = "none" } } } } } }]]):format(server.url))
    local output = run { "review", "--config", name, "--format", "csv" }
    assert.equal("source,users,active,invited,?,status_Active,status_no mfa,status_users,no_mfa,stale,never_came,"
      .. "admin,complete\r\nown,6,1,1,1,1,1,1,,,1,,true\r\n", output)
    output = run { "users", "--config", name, "--where", "last_seen_at<90d", "--format", "csv", "--fields", "id" }
    assert.equal("id\r\n1\r\n2\r\n3\r\n4\r\n5\r\n6\r\n", output)
  end)

  it("knows which of Okta's statuses can sign in, and which were invited", function()
    local server = require("spec.support.server").start()
    finally(function()
      server:stop()
    end)
    local users = {}
    for _, status in ipairs { "ACTIVE", "LOCKED_OUT", "PASSWORD_EXPIRED", "RECOVERY", "SUSPENDED", "DEPROVISIONED",
      "STAGED", "PROVISIONED" } do
      users[#users + 1] = ('{"id":%q,"status":%q,"created":"2020-01-01T00:00:00Z","lastLogin":%s}'):format(status,
        status, (status == "STAGED" or status == "PROVISIONED") and "null" or '"2020-02-02T00:00:00Z"')
    end
    server:script { ["/api/v1/users"] = { { body = "[" .. table.concat(users, ",") .. "]" } } }
    local name = cli.configuration(([[return { sources = { okta = { base_url = %q, token = "hunter22-token" } } }]])
      :format(server.url))
    local output = run { "review", "--config", name, "--list", "stale,never-came", "--format", "ndjson", "--fields",
      "id,findings" }
    local found = {}
    for _, one in ipairs(decoded(output)) do
      found[one.id] = table.concat(one.findings, " ")
    end
    check.same({ ACTIVE = "stale", LOCKED_OUT = "stale", PASSWORD_EXPIRED = "stale", RECOVERY = "stale",
      STAGED = "never-came", PROVISIONED = "never-came" }, found)
  end)

  it("lists who was found", function()
    local output, _, status = run { "review", "--list", "no-mfa,never-came", "--format", "ndjson", "--fields",
      "id,source,findings" }
    assert.equal(0, status)
    local list = decoded(output)
    assert.equal(counted(dintero).no_mfa + counted(tesouro).never_came, #list)
    local seen = {}
    for _, user in ipairs(list) do
      assert.is_nil(seen[user.id])
      seen[user.id] = true
    end
    for _, user in ipairs(list) do
      check.contains(table.concat(user.findings, " "), user.source == "dintero" and "no-mfa" or "never-came")
    end
    output = run { "review", "dintero", "--list", "no-mfa", "--fields", "id,findings" }
    assert.equal(1 + counted(dintero).no_mfa, #command.lines(output)) -- a table, to its end
    assert.truthy(output:find "^ID +FINDINGS\n[^\n]+no%-mfa")
    for _, wrong in ipairs { { "--list", "stale", "--format", "markdown" }, { "--format", "ndjson" },
      { "--fields", "id" }, { "--formulas" }, { "--list", "stale", "--bom" } } do
      local _, _, failed = run { "review", wrong[1], wrong[2], wrong[3], wrong[4] }
      assert.equal(2, failed)
    end
  end)
end)
