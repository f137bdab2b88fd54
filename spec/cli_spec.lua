-- The command `rollcall`, as a process, against the sandbox.

local check = require "spec.support.check"
local cjson = require "cjson"
local command = require "spec.support.command"
local sandbox = require "spec.support.sandbox"
local time = require "rollcall.time"

local run = command.run

--- What it complained of, and its status.
local function complaints(arguments, variables)
  return select(2, run(arguments, variables))
end

local null = sandbox.data.null
local is_plain = not os.getenv("RUN_LUA"):find "LD_PRELOAD" and not os.getenv("RUN_LUA"):find "valgrind"

local ORGANIZATION = "7e500000-0000-4000-8000-000000000009"
local tesouro = sandbox.data.tesouro.users { status = "ALL" }
local dintero = sandbox.data.dintero.users("T12345678", { expand_roles = true })

local directory

local function path(name)
  return directory .. "/" .. name
end

setup(function()
  directory = os.tmpname()
  os.remove(directory)
  assert(os.execute("mkdir " .. directory))
end)
teardown(function()
  os.execute("rm -rf " .. directory)
  sandbox.restore()
end)
before_each(function()
  sandbox.reset()
end)

--- Writes a configuration that nobody else can read; answers its path.
local function configuration(text, mode)
  local name = path "rollcall.lua"
  command.write(name, text)
  os.execute(("chmod %s %s"):format(mode or "600", name))
  return name
end

local function source_text(more)
  return ("return { sources = { tesouro = { base_url = %q, %s } } }"):format(sandbox.tesouro_url, more)
end

local CREDENTIALS = 'client_id = { env = "SANDBOX_CLIENT_ID" }, client_secret = { env = "SANDBOX_CLIENT_SECRET" }'

local function decoded(text)
  local list = {}
  for i, line in ipairs(command.lines(text)) do
    list[i] = cjson.decode(line)
  end
  return list
end

--- The ids of users, each once.
local function ids(list)
  local set, count = {}, 0
  for _, user in ipairs(list) do
    assert(not set[user.id], "twice: " .. tostring(user.id))
    set[user.id] = true
    count = count + 1
  end
  return set, count
end

local function check_ids(expected, list)
  local wanted, found = ids(expected), ids(list)
  check.same(wanted, found)
end

local function both()
  local all = {}
  for _, list in ipairs { tesouro, dintero } do
    for _, user in ipairs(list) do
      all[#all + 1] = user
    end
  end
  return all
end

describe("rollcall users", function()
  it("lists everybody of every source, as lines of JSON with all their fields", function()
    local output, errors, status = run { "users", "--format", "ndjson" }
    assert.equal("", errors)
    assert.equal(0, status)
    local list = decoded(output)
    check_ids(both(), list)
    local by_id = {}
    for _, user in ipairs(list) do
      by_id[user.id] = user
      assert.equal(user.source, user.provider)
    end
    for _, user in ipairs(both()) do
      local got = by_id[user.id]
      for name, value in pairs(user) do
        check.same(value, got[name])
      end
      assert.equal(user.organizationId or "T12345678", got.account_id)
      local is_deleted = user.deleted_at ~= nil and user.deleted_at ~= null
      assert.equal(user.status or is_deleted and "DELETED" or "ACTIVE", got.status)
    end
  end)

  it("writes CSV that Python reads as the data", function()
    local output, errors, status = run { "users", "tesouro", "--format", "csv", "--formulas", "--fields",
      "id,email,name,status,department.name,jobTitle" }
    assert.equal("", errors)
    assert.equal(0, status)
    command.write(path "users.csv", output)
    command.write(path "read.py", [[
import csv, json, sys
csv.field_size_limit(1 << 30)
for row in csv.DictReader(open(sys.argv[1], newline="", encoding="utf-8")):
    print(json.dumps(row))
]])
    local read, said = command.shell(("LD_PRELOAD= python3 %s %s"):format(path "read.py", path "users.csv"))
    assert.equal("", said)
    local rows = decoded(read)
    assert.equal(#tesouro, #rows)
    local function text(value)
      return value ~= nil and value ~= null and value or ""
    end
    for i, user in ipairs(tesouro) do
      local department = type(user.department) == "table" and user.department.name or nil
      check.same({ id = user.id, email = user.email, name = text(user.name), status = user.status,
        ["department.name"] = text(department), jobTitle = text(user.jobTitle) }, rows[i])
    end
  end)

  it("writes one JSON array", function()
    local output = run { "users", "dintero", "--format", "json" }
    check_ids(dintero, cjson.decode(output))
    assert.equal("[\n]\n", (run { "users", "dintero", "--format", "json", "--where", "name=nobody at all" }))
    output = run { "users", "dintero", "--format", "json", "--limit", "1", "--fields", "id" }
    assert.equal(('[\n{"id":"%s"}\n]\n'):format(dintero[1].id), output)
  end)

  it("prints a table, of which no line has more than it should", function()
    local output, _, status = run { "users", "tesouro", "--limit", "3" }
    assert.equal(0, status)
    local lines = command.lines(output)
    assert.equal(4, #lines)
    assert.truthy(lines[1]:find "^EMAIL +NAME +STATUS +ROLES +MFA +LAST SEEN$")
    local first = tesouro[1]
    check.contains(lines[2], first.email, first.status, first.role, first.lastLoggedInDateTime:sub(1, 10))
    assert.is_nil((output:gsub("\n", "")):find "%c")
  end)

  it("selects by --where, and stops at --limit", function()
    local expected = {}
    local before = time.parse(sandbox.data.now) - 90 * 86400
    for _, user in ipairs(tesouro) do
      local seen = user.lastLoggedInDateTime
      if user.status == "ACTIVE" and (seen == nil or seen == null or time.parse(seen) < before) then
        expected[#expected + 1] = user
      end
    end
    local stale = { "users", "tesouro", "--format", "ndjson", "--where", "status=ACTIVE", "--where",
      "last_seen_at<90d" }
    local output, _, status = run(stale)
    assert.equal(0, status)
    check_ids(expected, decoded(output))
    stale[#stale + 1], stale[#stale + 2] = "--limit", "7"
    local first = decoded((run(stale)))
    assert.equal(7, #first)
    for i, user in ipairs(first) do
      assert.equal(expected[i].id, user.id)
    end
  end)

  it("passes filters on to the providers that know them, and says who does not", function()
    local output, errors = run { "users", "--format", "ndjson", "--organization-id", ORGANIZATION, "--status",
      "INVITED" }
    local expected = sandbox.data.tesouro.users { status = "INVITED", organization_id = ORGANIZATION }
    check.contains(errors, "dintero has no filter organization_id", "dintero has no filter status")
    local count = 0
    for _, user in ipairs(decoded(output)) do
      count = count + (user.source == "tesouro" and 1 or 0)
    end
    assert.equal(#expected, count)
    local _, wrong, status = run { "users", "tesouro", "--status", "GONE" }
    assert.equal(2, status)
    check.contains(wrong, "GONE", "is none of ACTIVE")
    wrong, status = complaints { "users", "dintero", "--filter", "color=red" }
    assert.equal(2, status)
    check.contains(wrong, "no source here has a filter color")
    wrong = complaints { "users", "--filter", "shape=round", "--filter", "color=red" }
    check.contains(wrong, "no source here has a filter color, nor one shape")
    assert.is_nil(wrong:find "all its users")
  end)

  it("ends with 1 where nobody is found", function()
    local output, errors, status = run { "users", "tesouro", "--where", "email=nobody@nowhere.example" }
    assert.equal("", output)
    assert.equal(1, status)
    check.contains(errors, "nobody was found")
    errors = complaints { "users", "tesouro", "--where", "email=nobody@nowhere.example", "--quiet" }
    assert.equal("", errors)
  end)

  it("names a wrong field, option, source or condition before anything is sent", function()
    for _, case in ipairs {
      { { "--fields", "emailx" }, "emailx", "email" },
      { { "--where", "satus=ACTIVE" }, "satus", "did you mean status? A field" },
      { { "--where", "last_seen_at<90x" }, '"90x" is no time', "such as 90d" },
      { { "--where", "status=>ACTIVE" }, "expected FIELD" },
      { { "--now", "9999-12-31T23:59:59-02:00" }, "years 0 to 9999" },
      { { "--fields", "id,,name" }, "expected fields with commas" },
      { { "--where", "status" }, "expected FIELD" },
      { { "--where", "last_seen_at<" }, "expected a value" },
      { { "--format", "xml" }, "--format", "'ndjson'" },
      { { "--limit", "many" }, "many", "whole number" },
      { { "nowhere" }, "nowhere", "dintero, tesouro" },
      { { "--resume", path "none", "--format", "json" }, "--format ndjson" },
      { { "--nonsense" }, "--nonsense" },
      { { "--now", "noon" }, "noon", "RFC 3339" },
    } do
      local arguments = { "users" }
      for _, argument in ipairs(case[1]) do
        arguments[#arguments + 1] = argument
      end
      local output, errors, status = run(arguments)
      assert.equal(2, status, table.concat(arguments, " "))
      assert.equal("", output)
      check.contains(errors, case[2], case[3] or "")
      assert.is_nil(errors:find "traceback")
    end
    assert.equal(0, #sandbox.log "POST") -- without a token nothing else is sent
    local _, _, status = run { "users", "tesouro", "--fields", "/brandNewField", "--limit", "1" }
    assert.equal(0, status)
  end)

  it("ends quietly when nobody reads on", function()
    for _, format in ipairs { "ndjson", "csv", "table" } do
      local output, errors, status = command.shell(("{ %s; echo $? >%s; } | head -n 3"):format(
        command.line { "users", "--format", format, "--page-size", "5" }, path "status"))
      assert.equal(0, status)
      assert.equal(3, #command.lines(output))
      assert.equal("", errors)
      assert.equal("0\n", command.read(path "status"))
    end
  end)

  it("says so where the output cannot be written", function()
    local _, errors, status = command.shell(command.line { "users", "--format", "csv" } .. " >/dev/full")
    assert.equal(3, status)
    check.contains(errors, "cannot write the output", "No space left")
  end)

  it("goes on with the other sources where one fails, and ends with 3", function()
    sandbox.plan_faults { provider = "tesouro", script = { { kind = "html" } } }
    local output, errors, status = run { "users", "--format", "ndjson" }
    assert.equal(3, status)
    check_ids(dintero, decoded(output))
    check.contains(errors, "rollcall: tesouro: decode: ", "rollcall check tesouro", "To go on behind them")
    assert.is_nil(errors:find("decode: tesouro: ", 1, true))
  end)
end)

describe("a walk that is interrupted", function()
  --- Runs it, and sends the signal when so many lines have come; its lines, complaints and status.
  local function interrupted(arguments, signal, after)
    local errors, status = path "errors", path "status"
    local process = assert(io.popen(("sh -c 'echo $$; exec %s' 2>%s; echo $? >%s"):format(
      command.line(arguments):gsub("'", "'\\''"), errors, status)))
    local pid = assert(tonumber(process:read "*l"))
    local lines = {}
    while #lines < after do
      lines[#lines + 1] = process:read "*l" or error("it ended early: " .. command.read(errors))
    end
    os.execute(("kill -%s %d"):format(signal, pid))
    local rest = process:read "*a"
    process:close()
    assert.truthy(rest == "" or rest:sub(-1) == "\n")
    for line in rest:gmatch "([^\n]*)\n" do
      lines[#lines + 1] = line
    end
    return lines, command.read(errors), tonumber(command.read(status))
  end

  local arguments = { "users", "--format", "ndjson", "--fields", "source,id", "--page-size", "10" }

  it("goes on from its file, each user once", function()
    for _, signal in ipairs { "INT", "TERM" } do
      sandbox.reset "delay_ms=20"
      local saved = path("walk-" .. signal)
      local with_file = {}
      for i, argument in ipairs(arguments) do
        with_file[i] = argument
      end
      with_file[#with_file + 1], with_file[#with_file + 2] = "--resume", saved
      local all = {}
      for round = 1, 3 do
        local lines, errors, status = interrupted(with_file, signal, round * 20)
        assert.equal(signal == "INT" and 130 or 143, status)
        check.contains(errors, "interrupted", saved)
        for _, line in ipairs(lines) do
          all[#all + 1] = cjson.decode(line)
        end
        check.no_secret(command.read(saved), { sandbox.secret })
      end
      sandbox.reset()
      local output, errors, status = run(with_file)
      assert.equal("", errors)
      assert.equal(0, status)
      for _, user in ipairs(decoded(output)) do
        all[#all + 1] = user
      end
      check_ids(both(), all)
      output, errors, status = run(with_file)
      assert.equal("", output)
      assert.equal(1, status)
      check.contains(errors, "nobody was left")
    end
  end)

  it("prints where it stands, which a file can hold", function()
    sandbox.reset "delay_ms=20"
    local lines, errors, status = interrupted(arguments, "INT", 30)
    assert.equal(130, status)
    local checkpoint = errors:match "\n({[^\n]*})\n$"
    assert.truthy(checkpoint, errors)
    command.write(path "printed", checkpoint .. "\n")
    sandbox.reset()
    local all = {}
    for i, line in ipairs(lines) do
      all[i] = cjson.decode(line)
    end
    for _, user in ipairs(decoded((run { "users", "--format", "ndjson", "--fields", "source,id", "--page-size", "10",
      "--resume", path "printed" }))) do
      all[#all + 1] = user
    end
    check_ids(both(), all)
  end)

  it("leaves a table and an array that are whole", function()
    for _, format in ipairs { "table", "json" } do
      sandbox.reset "delay_ms=100"
      local process = assert(io.popen(("sh -c 'echo $$; exec %s' 2>%s"):format(
        command.line({ "users", "tesouro", "--page-size", "10", "--format", format }):gsub("'", "'\\''"),
        path "errors")))
      local pid = assert(tonumber(process:read "*l"))
      os.execute("sleep " .. (is_plain and 1 or 4))
      os.execute("kill -INT " .. pid)
      local output = process:read "*a"
      process:close()
      check.contains(command.read(path "errors"), "interrupted after ")
      local count = tonumber(command.read(path "errors"):match "after (%d+) users")
      assert.is_true(count > 0 and count < #tesouro)
      local listed = format == "json" and #cjson.decode(output) or #command.lines(output) - 1
      assert.equal(count, listed)
    end
  end)

  it("ends at once, also while the server says nothing", function()
    sandbox.reset "delay_ms=20000"
    local process = assert(io.popen(("sh -c 'echo $$; exec %s' 2>&1; echo \"status $?\""):format(
      command.line({ "users", "tesouro" }):gsub("'", "'\\''"))))
    local pid = assert(tonumber(process:read "*l"))
    local start = os.time()
    os.execute("sleep " .. (is_plain and 0.7 or 3))
    os.execute("kill -INT " .. pid)
    local said = process:read "*a"
    process:close()
    check.contains(said, "interrupted", "status 130")
    assert.is_true(os.time() - start < 10)
  end)

  it("is over when its output is written: that is ended at once, too", function()
    local fifo, errors, status = path "full", path "errors", path "status"
    os.execute("mkfifo " .. fifo)
    local reader = assert(io.open(fifo, "r+b"))
    os.execute(("dd if=/dev/zero of=%s bs=1024 oflag=nonblock 2>/dev/null"):format(fifo)) -- until it is full
    local process = assert(io.popen(("sh -c 'echo $$ >&3; exec %s' 3>&1 >%s 2>%s; echo $? >%s"):format(
      command.line({ "review", "--verbose" }):gsub("'", "'\\''"), fifo, errors, status)))
    local pid = assert(tonumber(process:read "*l"))
    for _ = 1, 300 do
      if (command.read(errors) or ""):find "tesouro: page 35:" and command.read(errors):find "dintero: page 1 " then
        break
      end
      os.execute "sleep 0.1"
    end
    os.execute("sleep " .. (is_plain and 1 or 4))
    os.execute("kill -INT " .. pid)
    for _ = 1, 100 do
      if command.read(status) then
        break
      end
      os.execute "sleep 0.1"
    end
    os.execute(("kill -KILL %d 2>/dev/null"):format(pid)) -- who still writes would for ever
    process:close()
    reader:close()
    assert.equal("130\n", command.read(status))
  end)

  it("refuses a file of another walk, and one that is none", function()
    local saved = path "other"
    run { "users", "tesouro", "--format", "csv", "--limit", "10", "--resume", saved }
    for _, case in ipairs {
      { { "dintero" }, "other is of a walk with tesouro" },
      { {}, "without dintero" },
      { { "tesouro", "--status", "ACTIVE" }, "ALL, not ACTIVE" },
    } do
      local again = { "users", "--format", "csv", "--resume", saved }
      for _, argument in ipairs(case[1]) do
        again[#again + 1] = argument
      end
      local _, errors, status = run(again)
      assert.equal(2, status)
      check.contains(errors, case[2])
    end
    command.write(saved, "nonsense\n")
    local _, errors, status = run { "users", "tesouro", "--format", "csv", "--resume", saved }
    assert.equal(2, status)
    check.contains(errors, "expected a checkpoint")
    command.write(saved, '{"rollcall":1,"parts":{"tesouro":"?"},"output":{"format":[1]}}\n')
    _, errors, status = run { "users", "tesouro", "--format", "csv", "--resume", saved }
    assert.equal(2, status)
    check.contains(errors, "does not say of which output")
    _, errors, status = run { "users", "tesouro", "--format", "csv", "--resume", path "nowhere/there" }
    assert.equal(3, status)
    check.contains(errors, "cannot write the checkpoint", "nowhere/there", "a folder that can be written to")
  end)

  it("is gone on with in CSV without a second header", function()
    local saved = path "csv"
    local first = run { "users", "tesouro", "--format", "csv", "--limit", "10", "--resume", saved }
    local second = run { "users", "tesouro", "--format", "csv", "--resume", saved }
    assert.equal((run { "users", "tesouro", "--format", "csv" }), first .. second)
  end)
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
        if not sign or time.parse(sign) < before then
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
    assert.equal("source,users,active,invited,inactive,deleted,no_mfa,stale,never_came,admin", lines[1])
    local expected = { dintero = counted(dintero), tesouro = counted(tesouro) }
    expected.tesouro.no_mfa = "" -- it says nothing of it
    for i, name in ipairs { "dintero", "tesouro" } do
      local count, cells = expected[name], { name }
      for _, column in ipairs { "users", "ACTIVE", "INVITED", "INACTIVE", "DELETED", "no_mfa", "stale", "never_came",
        "admin" } do
        cells[#cells + 1] = count[column] or 0
      end
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

  it("ends with 1 for what --fail-on names, and only then", function()
    local _, errors, status = run { "review", "--fail-on", "no-mfa,stale" }
    assert.equal(1, status)
    check.contains(errors, "no-mfa", "stale")
    check.contains(errors, "tesouro says nothing of second factors")
    assert.is_nil(errors:find("dintero says", 1, true))
    errors, status = complaints { "review", "dintero", "--fail-on", "never-came" }
    assert.equal("", errors)
    assert.equal(0, status)
    errors, status = complaints { "review", "--days", "1000001" }
    assert.equal(2, status)
    check.contains(errors, "1000001: expected a number of days")
    errors, status = complaints { "review", "--fail-on", "nomfa" }
    assert.equal(2, status)
    check.contains(errors, "nomfa", "no-mfa, stale")
  end)

  it("lists who was found", function()
    local output, _, status = run { "review", "--list", "no-mfa,never-came", "--format", "ndjson", "--fields",
      "id,source,findings" }
    assert.equal(0, status)
    local list = decoded(output)
    local _, count = ids(list)
    assert.equal(counted(dintero).no_mfa + counted(tesouro).never_came, count)
    for _, user in ipairs(list) do
      check.contains(table.concat(user.findings, " "), user.source == "dintero" and "no-mfa" or "never-came")
    end
    for _, wrong in ipairs { { "--list", "stale", "--format", "markdown" }, { "--format", "ndjson" },
      { "--fields", "id" } } do
      local _, _, failed = run { "review", wrong[1], wrong[2], wrong[3], wrong[4] }
      assert.equal(2, failed)
    end
  end)
end)

describe("rollcall diff", function()
  local old, new
  before_each(function()
    old, new = path "old.ndjson", path "new.ndjson"
    command.write(old, (run { "users", "tesouro", "--organization-id", ORGANIZATION, "--format", "ndjson" }))
  end)

  --- The new snapshot, of what `change` makes of each user (nil leaves it out), and `more` lines.
  local function make_new(change, more)
    local lines = {}
    for i, user in ipairs(decoded(command.read(old))) do
      local changed = change(user, i)
      lines[#lines + 1] = changed and cjson.encode(changed) or nil
    end
    lines[#lines + 1] = more
    command.write(new, table.concat(lines, "\n") .. "\n")
  end

  it("goes by what a snapshot of some fields has", function()
    for _, fields in ipairs { "id,email,status", "source,id,email" } do
      command.write(new, (run { "users", "tesouro", "--organization-id", ORGANIZATION, "--format", "ndjson", "--fields",
        fields }))
      local output, errors, status = run { "diff", new, old, "--format", "ndjson" }
      assert.equal("", output)
      check.contains(errors, "0 joined, 0 left, 0 changed")
      assert.equal(0, status)
    end
    check.contains(complaints { "diff", old, new }, "new.ndjson:1: a user without account_id", "--fields")
    command.write(new, '{"email":"a@b.example"}\n')
    local errors, status = complaints { "diff", old, new }
    assert.equal(2, status)
    check.contains(errors, "new.ndjson:1: a user without source", "--fields")
  end)

  it("tells who joined, left and changed, and ends with 1", function()
    local users = decoded(command.read(old))
    make_new(function(user, i)
      if i == 2 then
        return nil
      elseif i == 3 then
        user.status, user.name = "GONE", "Another Name"
      elseif i == 4 then
        user.last_seen_at, user.lastLoggedInDateTime = "2030-01-01T00:00:00Z", "2030-01-01T00:00:00Z"
      elseif i == 5 then
        user.account_name, user.organizationName = "Renamed", "Renamed"
      end
      return user
    end, '{"source":"tesouro","id":"new-one","email":"new@one.example","name":"=New"}')
    local output, errors, status = run { "diff", old, new, "--format", "ndjson" }
    assert.equal(1, status)
    check.contains(errors, "1 joined, 1 left, 2 changed", ("%d the same"):format(#users - 3))
    local changes = {}
    for _, change in ipairs(decoded(output)) do
      changes[change.change .. " " .. change.id] = change.fields or true
    end
    check.same({
      ["joined new-one"] = true,
      ["left " .. users[2].id] = true,
      ["changed " .. users[3].id] = { status = { old = users[3].status, new = "GONE" },
        name = { old = users[3].name, new = "Another Name" } },
      ["changed " .. users[5].id] = { account_name = { old = users[5].account_name, new = "Renamed" } },
    }, changes)
    output = run { "diff", old, new }
    check.contains(output, "CHANGE", "\n  status: " .. users[3].status .. " → GONE\n")
    output = run { "diff", old, new, "--format", "csv", "--ignore", "name,account_name,organizationName" }
    check.contains(output, "change,source,id,email,name,field,old,new\r\n", "'=New",
      (",status,%s,GONE\r\n"):format(users[3].status), ",last_seen_at,")
    assert.is_nil(output:find("Renamed", 1, true))
    errors = complaints { "diff", old, new, "--fields", "email" }
    check.contains(errors, "1 joined, 1 left, 0 changed")
  end)

  it("ends with 0 where nothing has changed, whatever the order, and reads pipes", function()
    command.shell(("{ printf '\\357\\273\\277'; sort -r %s; } >%s"):format(old, new))
    for _, line in ipairs { command.line { "diff", old, new },
      "cat " .. new .. " | " .. command.line { "diff", old, "-" },
      "cat " .. old .. " | " .. command.line { "diff", "/dev/stdin", new } } do
      local output, errors, status = command.shell(line)
      assert.equal("", output)
      assert.equal(0, status)
      check.contains(errors, "0 joined, 0 left, 0 changed")
    end
  end)

  it("compares with now", function()
    local all = run { "users", "--format", "ndjson" }
    command.write(old, all)
    local output, errors, status = run { "diff", old }
    assert.equal("", output)
    assert.equal(0, status)
    check.contains(errors, "0 joined, 0 left, 0 changed, 4,700 the same")
    local lines = command.lines(all)
    local gone = cjson.decode(table.remove(lines, 7))
    lines[1] = lines[1]:gsub('"email":%s*"[^"]*"', '"email":"old@email.example"')
    command.write(old, table.concat(lines, "\n") .. '\n{"source":"dintero","id":"not-any-more","email":"x@y"}\n')
    output, errors, status = run { "diff", old, "--format", "ndjson" }
    assert.equal(1, status)
    check.contains(errors, "1 joined, 1 left, 1 changed")
    check.contains(output, gone.id, "not-any-more", "old@email.example")
    -- Only the sources of the snapshot are asked.
    command.write(old, (run { "users", "dintero", "--format", "ndjson" }))
    errors, status = complaints { "diff", old }
    assert.equal(0, status)
    check.contains(errors, "1,200 the same")
  end)

  it("does not take those for gone whose source failed", function()
    command.write(old, (run { "users", "--format", "ndjson" }))
    sandbox.plan_faults { provider = "dintero", seed = 1, chance = 1, kinds = { "html" } }
    local output, errors, status = run { "diff", old, "--format", "ndjson" }
    assert.equal(3, status)
    assert.equal("", output)
    check.contains(errors, "who left is not known")
  end)

  it("knows by email who has no id, also beside a source whose users have one", function()
    command.write(old, '\239\187\191{"source":"tesouro","id":"1","email":"x@own"}\n'
      .. '{"source":"own","email":"y@own","status":"on"}\n{"source":"own","email":"z@own"}\n')
    local errors, status = complaints { "diff", old, old }
    assert.equal(0, status)
    check.contains(errors, "0 joined, 0 left, 0 changed, 3 the same")
    command.write(new, '{"source":"own","email":"y@own","status":"off"}\n{"source":"tesouro","id":"1","email":"x"}\n')
    local output = run { "diff", old, new, "--format", "csv" }
    assert.equal("change,source,id,email,name,field,old,new\r\nchanged,own,,y@own,,status,on,off\r\n"
      .. "changed,tesouro,1,x,,email,x@own,x\r\nleft,own,,z@own,,,,\r\n", output)
  end)

  it("tells numbers apart that no double can, and keeps the order of those who left", function()
    local lines = {}
    for i, id in ipairs { "9007199254740993", "9007199254740992", "12345678901234567890", "7" } do
      lines[i] = ('{"source":"own","id":%s,"email":"%d@own"}\n'):format(id, i)
    end
    command.write(old, table.concat(lines))
    local errors, status = complaints { "diff", old, old }
    assert.equal(0, status)
    check.contains(errors, "4 the same")
    command.write(new, lines[2])
    local expected = "change,source,id,email,name,field,old,new\r\nleft,own,9007199254740993,1@own,,,,\r\n"
      .. "left,own,12345678901234567890,3@own,,,,\r\nleft,own,7,4@own,,,,\r\n"
    local line = command.line { "diff", old, new, "--format", "csv" }
    assert.equal(expected, (command.shell(line)))
    line = command.line { "diff", "-", new, "--format", "csv" }
    assert.equal(expected, (command.shell("cat " .. old .. " | " .. line)))
  end)

  it("names the line of a snapshot that is none", function()
    local _, errors, status = run { "diff", path "nowhere", old }
    assert.equal(2, status)
    check.contains(errors, "nowhere", "No such file")
    command.write(new, '{"source":"tesouro","account_id":"x","id":"a"}\n\nid,email\n')
    errors, status = complaints { "diff", old, new }
    assert.equal(2, status)
    check.contains(errors, "new.ndjson:3: ", "rollcall users --format ndjson")
    command.write(new, '{"name":"a"}\n')
    errors, status = complaints { "diff", new, old }
    assert.equal(2, status)
    check.contains(errors, "new.ndjson:1: ", "without id and email")
    command.write(old, '{"id":"1","source":5}\n')
    errors, status = complaints { "diff", old, directory }
    assert.equal(2, status)
    check.contains(errors, "cannot read the snapshot " .. directory .. ": Is a directory")
    for _, option in ipairs { "--fields", "--ignore" } do
      errors, status = complaints { "diff", old, old, option, "nope" }
      assert.equal(2, status)
      check.contains(errors, option .. ": users of the snapshot have no field nope; they have account_id, ")
      _, status = complaints { "diff", old, old, option, "/nope,email" }
      assert.equal(0, status)
    end
    local _, told = complaints { "diff", old } -- whose source is no name: as if it had none
    assert.equal(1, told)
  end)
end)

describe("rollcall sources", function()
  it("says what is configured, and no secret", function()
    local name = configuration(source_text('client_id = "sandbox-client", secret_command = "cat /secret"')
      :gsub("} }$", ', ["dintero-eu"] = { provider = "dintero", accounts = { "T123", "P321" }, '
        .. 'token = "hunter22-token" } } }'))
    local output, errors, status = run { "sources", "--config", name }
    assert.equal("", errors)
    assert.equal(0, status)
    check.contains(output, "dintero-eu", "https://api.dintero.com", "T123, P321", "token in the configuration",
      sandbox.tesouro_url, "client secret `cat /secret`", name)
    check.no_secret(output, { "hunter22-token" })
    local list = decoded((run { "sources", "--config", name, "--format", "ndjson" }))
    assert.equal("dintero-eu", list[1].name)
    assert.equal("tesouro", list[2].provider)
    assert.equal(0, #sandbox.log "POST") -- without a token nothing else is sent
  end)
end)

describe("rollcall check", function()
  it("finds all well", function()
    local output, errors, status = run { "check" }
    assert.equal("", errors)
    assert.equal(0, status)
    for _, name in ipairs { "tesouro", "dintero" } do
      check.contains(output, name .. ": Configuration: ", name .. ": Credentials: accepted.",
        name .. ": Users: can be read.", name .. ": Clock: agrees", " is reached.")
    end
    assert.is_nil(output:find "NOT WELL")
  end)

  it("says in a sentence what is wrong, and what to do", function()
    local function said(more, variables)
      local output, errors, status = run({ "check", "--config", configuration(more) }, variables)
      assert.equal("", errors)
      assert.equal(3, status)
      check.no_secret(output, { sandbox.secret, "hunter22-wrong" })
      return output:match "NOT WELL: ([^\n]*)"
    end
    local wrong = said(source_text('client_id = "x", client_secret = { env = "WRONG" }'), { WRONG = "hunter22-wrong" })
    check.contains(wrong, "Credentials: ", "401", "Check the client id and secret")
    check.contains(said(source_text('client_id = "x", client_secret = { env = "NOT_SET" }')), "NOT_SET is not set")
    local nowhere = ('return { sources = { tesouro = { base_url = "http://127.0.0.1:1", %s } } }'):format(CREDENTIALS)
    check.contains(said(nowhere), "cannot be reached", "Check the network")
    check.contains(said(('return { sources = { tesouro = { base_url = %q, %s } } }'):format(sandbox.tesouro_https_url,
      CREDENTIALS)), "certificate", "ca_file")
  end)

  it("knows a good certificate, and a clock that is wrong", function()
    local name = configuration(('return { sources = { tesouro = { base_url = %q, ca_file = %q, %s } } }'):format(
      sandbox.tesouro_https_url, sandbox.ca_file, CREDENTIALS))
    check.contains((run { "check", "--config", name }), "TLS: the certificate is good")
    local server = require("spec.support.server").start()
    finally(function()
      server:stop()
    end)
    server:script {
      ["/"] = { { status = 404, headers = { "Date: Sun, 06 Nov 1994 08:49:37 GMT" } } },
      ["/openid/connect/token"] = { { body = '{"access_token":"t","expires_in":3600}' } },
      ["/identity/v1/users"] = { { status = 403, body = '{"message":"no"}' } },
    }
    local declared = [[
      return { sources = { tesouro = { base_url = %q, client_id = "x", secret_command = "echo abc" } } }]]
    local output, _, status = run { "check", "--config", configuration(declared:format(server.url)) }
    assert.equal(3, status)
    check.contains(output, "seconds ahead of the server. Set its clock", "may not read the users")
  end)

  it("tries each account", function()
    local output, _, status = run({ "check", "dintero" }, { SANDBOX_DINTERO_ACCOUNT = "T12345678,P321,T999" })
    assert.equal(3, status)
    check.contains(output, "dintero: T12345678: Users: can be read.", "dintero: P321: Users: can be read.",
      "dintero: NOT WELL: T999: ")
    local once = path "once" -- the command gives its secret the first time only
    command.write(once, sandbox.secret .. "\n")
    local name = configuration(([[return { sources = { dintero = { base_url = %q, accounts = { "T12345678", "P321" },
      client_id = "sandbox-client", secret_command = "cat %s 2>/dev/null && rm %s" } } }]]):format(
      sandbox.dintero_url, once, once))
    local errors
    output, errors, status = run { "check", "--config", name }
    assert.equal("", errors)
    assert.equal(3, status)
    check.contains(output, "dintero: NOT WELL: T12345678: configuration: ", "dintero: NOT WELL: P321: configuration: ",
      "client_secret: the command")
    check.no_secret(output, { sandbox.secret })
  end)
end)

describe("a configuration", function()
  it("says secrets by variable, by command, or itself", function()
    for text, variables in pairs {
      [CREDENTIALS] = {},
      ['client_id = "sandbox-client", secret_command = "printf \'%s\\\\nsecond line\' \\"$SECRET\\""'] =
        { SECRET = sandbox.secret },
      ['client_id = { command = "echo sandbox-client" }, client_secret = ' .. ("%q"):format(sandbox.secret)] = {},
    } do
      local output, errors, status = run({ "users", "--limit", "1", "--format", "ndjson", "--config",
        configuration(source_text(text)) }, variables)
      assert.equal("", errors)
      assert.equal(0, status)
      check.contains(output, tesouro[1].id)
    end
  end)

  it("is found by $ROLLCALL_CONFIG and in the XDG place", function()
    local name = configuration(source_text(CREDENTIALS):gsub("tesouro = {", 'mine = { provider = "tesouro",'))
    check.contains((run({ "sources" }, { ROLLCALL_CONFIG = name })), "mine")
    os.execute(("mkdir -p %s/rollcall && cp %s %s/rollcall/"):format(path "xdg", name, path "xdg"))
    local line = command.line { "sources" }
    local function with(variables)
      return (command.shell((line:gsub("XDG_CONFIG_HOME=/nonexistent", variables))))
    end
    check.contains(with("XDG_CONFIG_HOME=" .. path "xdg"), "mine")
    check.contains(with "-u XDG_CONFIG_HOME HOME=/nonexistent", "the sandbox's environment")
  end)

  it("sets filters of its own, which the command line goes over", function()
    local name = configuration(source_text(CREDENTIALS .. ', query = { status = "INVITED" }'))
    for status, arguments in pairs { INVITED = {}, INACTIVE = { "--status", "INACTIVE" } } do
      local line = { "users", "--config", name, "--format", "ndjson", arguments[1], arguments[2] }
      local expected = sandbox.data.tesouro.users { status = status }
      check_ids(expected, decoded((run(line))))
    end
  end)

  it("warns where others can read a secret", function()
    local text = source_text('client_id = "sandbox-client", client_secret = ' .. ("%q"):format(sandbox.secret))
    for mode, is_warned in pairs { ["600"] = false, ["400"] = false, ["644"] = true, ["640"] = true, ["604"] = true } do
      local _, errors, status = run { "users", "--limit", "1", "--config", configuration(text, mode) }
      assert.equal(0, status)
      assert.equal(is_warned, errors:find("warning: ", 1, true) ~= nil, mode)
      assert.equal(is_warned, errors:find("chmod 600", 1, true) ~= nil, mode)
      check.no_secret(errors, { sandbox.secret })
    end
    local _, errors = run { "users", "--limit", "1", "--config", configuration(source_text(CREDENTIALS), "644") }
    assert.equal("", errors)
  end)

  it("says the user and password of a provider with Basic credentials, too", function()
    local server = require("spec.support.server").start()
    finally(function()
      server:stop()
    end)
    server:script { ["/people"] = { { body = '[{"id":1}]' } } }
    local function source(username, password)
      return ([[return { sources = { own = { username = %s, password = %s, base_url = %q, provider = { name = "own",
        base_url = { production = "https://own.example" }, auth = { type = "basic" },
        users = { path = "/people", items = "", paging = { type = "none" } } } } } }]]):format(username, password,
        server.url)
    end
    local name = configuration(source('{ env = "OWN_USER" }', '{ command = "echo hunter22-wrong" }'), "644")
    local output, errors, status = run({ "sources", "--config", name }, { OWN_USER = "jane" })
    assert.equal("", errors)
    assert.equal(0, status)
    check.contains(output, "username $OWN_USER, password `echo hunter22-wrong`")
    output, errors, status = run({ "users", "--config", name, "--format", "ndjson" }, { OWN_USER = "jane" })
    assert.equal("", errors)
    assert.equal(0, status)
    check.contains(output, '"id":1')
    assert.equal("Basic " .. require "rollcall.base64".encode "jane:hunter22-wrong",
      server:requests()[1].headers.authorization)
    errors = complaints { "users", "--config", name }
    check.contains(errors, "username: the environment variable OWN_USER is not set")
    errors = complaints { "sources", "--config", configuration(source('"jane"', '"hunter22-wrong"'), "644") }
    check.contains(errors, "warning: ", "a secret of own", "chmod 600")
    check.no_secret(errors, { "hunter22-wrong" })
  end)

  it("can do nothing, and is told from what it is not", function()
    for text, parts in pairs {
      ["while true do end"] = { "does not come to an end" },
      ["return 1"] = { "it returns a number", "return { sources" },
      [""] = { "it returns nothing" },
      ["retrun"] = { "rollcall.lua:1: " },
      ["os.remove 'x'"] = { "rollcall.lua:1: ", "os" },
      ["return { sauces = {} }"] = { "sauces: unknown", "sources: expected a table" },
      ["return { sources = {} }"] = { "sources: expected a table" },
      ["return { sources = { a = { provider = 'tesuro' } } }"] =
        { "sources.a.provider", "dintero, github, okta, scim, tesouro, or a table", "did you mean tesouro?" },
      ["return { sources = { ['a b'] = {} } }"] = { "sources.a b: expected a name" },
      ["return { sources = { tesouro = 1 } }"] = { "sources.tesouro: expected a table, got a number" },
      ["return { sources = { tesouro = { client_secret = { env = 1 } } } }"] = { "sources.tesouro.client_secret" },
      ["return { sources = { tesouro = { token = 'hunter22-wrong', secret_command = 'x', client_secret = 'y' } } }"] =
        { "secret_command and client_secret exclude each other" },
      ["return { sources = { tesouro = { token = 'hunter22-wrong', bse_url = 'x' } } }"] = { "did you mean base_url?" },
      ["return { sources = { tesouro = { client_id = 'x', secret_command = 'echo hunter22-wrong; exit 3' } } }"] =
        { "client_secret: the command", "ended with status 3" },
      ["return { sources = { tesouro = { client_id = 'x', secret_command = 'true' } } }"] = { "printed nothing" },
      [string.dump(function() end)] = { "it is compiled" },
    } do
      local output, errors, status = run { "users", "--config", configuration(text) }
      assert.equal(2, status, text)
      assert.equal("", output)
      check.contains(errors, parts[1], parts[2] or "", parts[3] or "")
      local shown = errors:gsub("the command `[^`]*`", "") -- which is what the file says, not a secret it printed
      check.no_secret(shown, { "hunter22-wrong" })
      assert.is_nil(errors:find "traceback")
    end
    assert.equal(0, #sandbox.log "POST") -- without a token nothing else is sent
  end)

  it("is told where it cannot be read, and where there is none", function()
    local _, errors, status = run { "users", "--config", path "nowhere.lua" }
    assert.equal(2, status)
    check.contains(errors, "nowhere.lua", "No such file", "check the path")
    errors, status = complaints { "users", "--config", directory }
    assert.equal(2, status)
    check.contains(errors, "cannot read", directory)
    local without = { SANDBOX_TESOURO_URL = false, SANDBOX_DINTERO_URL = false, TESOURO_CLIENT_ID = false,
      DINTERO_CLIENT_ID = false }
    errors, status = complaints({ "users" }, without)
    assert.equal(2, status)
    check.contains(errors, "TESOURO_CLIENT_ID", "DINTERO_ACCOUNT", "rollcall sources --help")
  end)

  it("is not needed where the environment has one source", function()
    local output, errors, status = run({ "users", "--format", "ndjson", "--limit", "1" }, {
      TESOURO_CLIENT_ID = sandbox.id, TESOURO_CLIENT_SECRET = sandbox.secret, TESOURO_BASE_URL = sandbox.tesouro_url })
    assert.equal("", errors)
    assert.equal(0, status)
    check.contains(output, tesouro[1].id)
    errors, status = complaints({ "users" }, { TESOURO_CLIENT_ID = "x", TESOURO_CLIENT_SECRET = "" })
    assert.equal(2, status)
    check.contains(errors, "TESOURO_CLIENT_SECRET is not set")
    errors, status = complaints({ "users" }, { DINTERO_CLIENT_ID = "x", DINTERO_CLIENT_SECRET = "y" })
    assert.equal(2, status)
    check.contains(errors, "DINTERO_ACCOUNT is not set")
  end)

  it("describes a provider of one's own", function()
    local server = require("spec.support.server").start()
    finally(function()
      server:stop()
    end)
    server:script { ["/people?state=on"] = {
      { body = '[{"id":1,"mail":"=a@b.example","provider":"theirs","source":null}]' },
    } }
    local name = configuration(([[
      return { sources = { acme = {
        token = "hunter22-token", base_url = %q,
        provider = { name = "acme", base_url = { production = "https://acme.example" },
          users = { path = "/people", items = "", paging = { type = "none" }, filters = { state = { query = "state" } },
            fields = { email = "/mail" } } },
      } } }]]):format(server.url))
    local output, errors, status = run { "users", "--config", name, "--format", "ndjson", "--filter", "state=on" }
    assert.equal("", errors)
    assert.equal(0, status)
    check.same({ id = 1, mail = "=a@b.example", email = "=a@b.example", source = "acme", provider = "acme" },
      cjson.decode(output))
    output = run { "users", "--config", name, "--format", "csv", "--filter", "state=on", "--fields", "anything,email",
      "--bom" }
    assert.equal("\239\187\191anything,email\r\n,'=a@b.example\r\n", output)
  end)
end)

describe("credentials that no longer work", function()
  it("end it with a sentence, without them", function()
    for kind, variables in pairs {
      ["401"] = { SANDBOX_CLIENT_SECRET = "hunter22-wrong" },
      ["Credentials"] = { SANDBOX_CLIENT_ID = "nobody", SANDBOX_CLIENT_SECRET = "hunter22-wrong" },
    } do
      local output, errors, status = run({ "users", "tesouro", "--format", "ndjson" }, variables)
      assert.equal(3, status)
      assert.equal("", output)
      check.contains(errors, "rollcall: tesouro: auth: ", "Check the client id and secret", "rollcall check tesouro",
        kind == "401" and kind or "")
      check.no_secret(errors, { "hunter22-wrong" })
    end
  end)
end)

describe("no network", function()
  it("ends it with a sentence", function()
    local name = configuration((
      'return { sources = { tesouro = { base_url = "http://127.0.0.1:1", retry = false, %s } } }'):format(CREDENTIALS))
    for _, arguments in ipairs { { "users", "--format", "ndjson" }, { "find", "Ada" }, { "review" } } do
      arguments[#arguments + 1], arguments[#arguments + 2] = "--config", name
      local output, errors, status = run(arguments)
      assert.equal(3, status)
      assert.is_nil(output:find "@")
      check.contains(errors, "rollcall: tesouro: ", "127.0.0.1", "Check the network", "rollcall check tesouro")
    end
  end)
end)

describe("what goes to stderr", function()
  it("is every request with --verbose, and no secret", function()
    local output, errors, status = run { "users", "tesouro", "--organization-id", ORGANIZATION, "--format", "csv",
      "--verbose" }
    assert.equal(0, status)
    assert.truthy(#output > 0)
    check.contains(errors, "tesouro: POST " .. sandbox.tesouro_url .. "/openid/connect/token", "tesouro: 200, ",
      "tesouro: GET ", "page 1: ")
    check.no_secret(errors, { sandbox.secret, "Bearer " })
  end)

  it("is nothing where it is no terminal", function()
    local _, errors = run { "review" }
    assert.equal("", errors)
  end)
end)

describe("on a terminal", function()
  if not command.has_terminals() then
    pending "this machine gives no pseudo terminals"
    return
  end

  local socket -- of the server that runs; one for each terminal, since an old one may still be on its way out

  local function end_server()
    os.execute(("tmux -S %s kill-server 2>/dev/null"):format(socket))
    os.remove(socket)
  end

  --- Types a line in a terminal of 100 columns; answers a function that shows its screen.
  local function terminal(line)
    local script = path "typed"
    socket = os.tmpname()
    os.remove(socket)
    command.write(script, line .. "\necho \"[ended $?]\"\nsleep 60\n")
    assert(os.execute(("tmux -S %s -f /dev/null new-session -d -x 100 -y 24 'sh %s'"):format(socket, script)))
    return function()
      local pipe = assert(io.popen(("tmux -S %s capture-pane -p 2>&1"):format(socket)))
      local screen = pipe:read "*a"
      pipe:close()
      return screen
    end
  end

  after_each(end_server)

  local function await(screen, pattern)
    local shown
    for _ = 1, 600 do
      shown = screen()
      if shown:find(pattern) then
        return shown
      end
      os.execute "sleep 0.05"
    end
    error(("the screen never showed %s:\n%s"):format(pattern, shown))
  end

  it("progress is one line, which is gone when the table comes", function()
    sandbox.reset "delay_ms=60"
    local screen = terminal(command.line { "review" })
    local shown = await(screen, "tesouro [%d,]+ users, %d+ pages")
    assert.equal(1, #command.lines((shown:gsub("\n+$", "\n"))))
    check.contains(shown, "dintero ", " | ", "/s")
    shown = await(screen, "%[ended 0%]")
    local lines = command.lines((shown:gsub("\n+$", "\n")))
    assert.equal(5, #lines)
    assert.truthy(lines[1]:find "^SOURCE +USERS")
    assert.truthy(lines[4]:find "^total +4,700")
  end)

  it("progress is shown beside an output that goes elsewhere, and not with --quiet", function()
    sandbox.reset "delay_ms=60"
    local screen = terminal(command.line { "users", "tesouro", "--format", "csv" } .. " >" .. path "out.csv")
    await(screen, "^[%d,]+/s[^\n]* | tesouro [%d,]+ users?, %d+ pages?")
    local shown = await(screen, "%[ended 0%]")
    assert.equal("[ended 0]\n", (shown:gsub("\n+$", "\n")))
    end_server()
    screen = terminal(command.line { "users", "tesouro", "--format", "csv", "--quiet" } .. " >" .. path "out.csv")
    while true do
      shown = screen()
      assert.is_nil(shown:find "users")
      if shown:find "%[ended 0%]" then
        break
      end
      os.execute "sleep 0.05"
    end
  end)

  it("progress says how long is waited, and was", function()
    sandbox.plan_faults { provider = "tesouro", script = { { kind = "rate_limit", wait = 3 } } }
    local screen = terminal(command.line { "users", "tesouro", "--format", "csv" } .. " >" .. path "out.csv")
    await(screen, "^0/s, waiting %d s | tesouro 0 users")
    await(screen, "^[%d,]+/s | tesouro [%d,]+ users, %d+ pages?, waited 3 s\n")
    await(screen, "%[ended 0%]")
  end)

  it("a table fits its columns, and NO_COLOR takes the bold away", function()
    local screen = terminal(command.line({ "users", "tesouro", "--limit", "9" }, { NO_COLOR = "1" })
      .. "; " .. command.line { "users", "tesouro", "--limit", "1" })
    await(screen, "%[ended 0%]")
    local pipe = assert(io.popen(("tmux -S %s capture-pane -p -e 2>&1"):format(socket)))
    local lines = command.lines(pipe:read "*a")
    pipe:close()
    assert.truthy(lines[1]:find "^EMAIL", lines[1])
    assert.equal(10, (function()
      for i = 2, #lines do
        if lines[i]:find "\27%[1mEMAIL" then
          return i - 1
        end
      end
    end)())
  end)
end)

describe("a walk of many users", function()
  it("takes the same memory whatever their number", function()
    if not is_plain then
      return -- a sanitizer keeps what is freed
    end
    local function peak(format, count)
      local script = path "peak.lua"
      command.write(script, [[
        local status = require "rollcall.cli.main".run(arg)
        for line in io.lines "/proc/self/status" do
          local peak = line:match "^VmHWM:%s+(%d+)"
          if peak then io.stderr:write("peak ", peak, "\n") end
        end
        os.exit(status)
      ]])
      local line = ("XDG_CONFIG_HOME=/nonexistent %s %s users tesouro --organization-id %s --format %s"):format(
        os.getenv "RUN_LUA", script, sandbox.data.tesouro.big_organization(count), format)
      local _, errors, status = command.shell(line .. " | wc -l >" .. path "count")
      assert.equal(0, status)
      local around = { csv = 1, table = 1, json = 2, ndjson = 0 } -- lines that are no users
      assert.equal(count + around[format], tonumber(command.read(path "count")))
      return tonumber(errors:match "^peak (%d+)\n$")
    end
    for _, format in ipairs { "ndjson", "csv", "table", "json" } do
      local few, many = peak(format, 2000), peak(format, 30000)
      assert.is_true(many - few < 3000, ("%s: %d KiB, then %d"):format(format, few, many))
    end
  end)
end)

describe("the command itself", function()
  it("explains itself, each command too", function()
    for _, arguments in ipairs { { "--help" }, { "users", "--help" }, { "find", "--help" }, { "review", "--help" },
      { "diff", "--help" }, { "sources", "--help" }, { "check", "--help" }, { "sandbox", "--help" } } do
      local output, errors, status = run(arguments)
      assert.equal("", errors)
      assert.equal(0, status)
      check.contains(output, "Usage: rollcall", "Exit status: ")
    end
    check.contains((run { "completion", "--help" }), 'eval "$(rollcall completion zsh)"', "fish | source")
    check.contains((run { "sources", "--help" }), "\n  }\n\nWithout a configuration")
    local output = run { "--version" }
    assert.equal("rollcall " .. require "rollcall.version" .. "\n", output)
    local _, errors, status = run {}
    assert.equal(2, status)
    check.contains(errors, "Usage: rollcall")
  end)

  it("completes for shells", function()
    for shell, part in pairs { bash = "complete -F", zsh = "#compdef rollcall", fish = "complete -c rollcall" } do
      local output, _, status = run { "completion", shell }
      assert.equal(0, status)
      assert.truthy(output:find(part, 1, true) and output:find("fail-on", 1, true))
    end
    local output = run { "completion", "bash" }
    command.write(path "completion", output)
    local _, errors, status = command.shell("bash -n " .. path "completion")
    assert.equal("", errors)
    assert.equal(0, status)
  end)

  it("ends at once by Ctrl-C where it waits for a file", function()
    local fifo, errors, status = path "fifo", path "errors", path "status"
    os.execute("mkfifo " .. fifo)
    local process = assert(io.popen(("sh -c 'echo $$; exec %s' 2>%s; echo $? >%s"):format(
      command.line({ "diff", fifo, fifo }):gsub("'", "'\\''"), errors, status)))
    local pid = assert(tonumber(process:read "*l"))
    local writer = assert(io.open(fifo, "wb")) -- opens when the command does: it waits for a line from now on
    os.execute("kill -INT " .. pid)
    process:read "*a"
    process:close()
    writer:close()
    assert.equal("130\n", command.read(status))
    assert.is_nil(command.read(errors):find "traceback")
  end)

  it("starts the sandbox of its checkout, and ends it", function()
    for _, signal in ipairs { "INT", "TERM", "HUP" } do
      local target = path "sandbox"
      local process = assert(io.popen(("sh -c 'echo $$; exec %s' 2>&1; echo \"status $?\""):format(
        command.line({ "sandbox", target }):gsub("'", "'\\''"))))
      local pid = assert(tonumber(process:read "*l"))
      check.contains(process:read "*l", "runs until Ctrl-C")
      local server = command.read(target .. "/env"):match "SANDBOX_PID=(%d+)"
      os.execute(("kill -%s %d"):format(signal, pid))
      local rest = process:read "*a"
      process:close()
      assert.equal(({ INT = "130", TERM = "143", HUP = "129" })[signal], rest:match "status (%d+)\n$")
      assert.is_nil(command.read(target .. "/env"))
      local state = command.shell(("ps -o stat= -p %s"):format(server))
      assert.truthy(state == "" or state:find "^Z", state)
    end
  end)

  it("loads nothing from where it is called", function()
    local root = assert(io.popen "pwd"):read "*l"
    command.write(path "rollcall.lua", "error 'the wrong one'")
    command.write(path "argparse.lua", "error 'the wrong one'")
    local line = command.line({ "--version" }):gsub(" (lua/rollcall/cli/rollcall)", " " .. root .. "/%1")
    local output, errors = command.shell(("cd %s && LUA_PATH='./?.lua;%s/lua/?.lua;%s/lua/?/init.lua;;' %s"):format(
      directory, root, root, line))
    assert.equal("", errors)
    check.contains(output, "rollcall ")
  end)
end)
