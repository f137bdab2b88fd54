-- The command `rollcall`, as a process, against the sandbox.

local check = require "spec.support.check"
local cjson = require "cjson"
local cli = require "spec.support.cli"
local command = require "spec.support.command"
local sandbox = require "spec.support.sandbox"
local time = require "rollcall.time"

local run = command.run
local complaints = cli.complaints
local path = cli.path
local configuration = cli.configuration
local decoded = cli.decoded
local check_ids = cli.check_ids
local both = cli.both
local tesouro = cli.tesouro
local dintero = cli.dintero
local ORGANIZATION = cli.ORGANIZATION
local CREDENTIALS = cli.CREDENTIALS
local null = sandbox.data.null
local is_plain = not os.getenv("RUN_LUA"):find "LD_PRELOAD" and not os.getenv("RUN_LUA"):find "valgrind"

local NO_PAGE_SIZE = "rollcall: dintero takes no page size: its pages are as they come\n"

setup(cli.begin)
teardown(cli.finish)
before_each(function()
  sandbox.reset()
end)

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

  it("tells of each account that fails, five of a source", function()
    local accounts = { "T123", "T999", "P321" }
    for i = 1, 6 do
      accounts[#accounts + 1] = "T55500" .. ("%03d"):format(i)
    end
    local output, errors, status = run({ "users", "dintero", "--format", "ndjson" },
      { SANDBOX_DINTERO_ACCOUNT = table.concat(accounts, ",") })
    assert.equal(3, status)
    assert.equal(48, #decoded(output))
    check.contains(errors, "/T999/", "dintero: 2 more accounts failed, too\n")
    assert.equal(5, select(2, errors:gsub("status 404", "")), errors)
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
    sandbox.reset() -- nothing is asked for ahead that nobody wants
    assert.equal(0, select(3, run { "users", "tesouro", "--limit", "3", "--page-size", "3" }))
    assert.equal(1, sandbox.stats().tesouro.user_requests)
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

  it("says where pages are not of the size that was asked for", function()
    local output, errors, status = run { "users", "--format", "ndjson", "--page-size", "1000" }
    assert.equal(0, status)
    assert.equal(NO_PAGE_SIZE .. "rollcall: tesouro takes no page size above 100: it is asked for that\n", errors)
    check_ids(both(), decoded(output))
    errors = complaints { "users", "tesouro", "--limit", "1", "--page-size", "1000", "--quiet" }
    assert.equal("", errors)
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
      { { "--now", "9999-12-31T23:59:59-02:00" }, "--now: 9999-12-31T23:59:59-02:00: expected", "years 0 to 9999" },
      { { "--fields", "id,,name" }, "expected fields with commas" },
      { { "--fields", "id,name, id", "--format", "ndjson" }, "rollcall: --fields id,name, id: id is there twice\n" },
      { { "--fields", "emial" }, "did you mean email?" },
      { { "--fields", ("/a"):rep(17) }, "expected fields with commas", "(at most 16 steps)" },
      { { "--where", "status" }, "expected FIELD" },
      { { "--where", "last_seen_at<" }, "expected a value" },
      { { "--format", "xml" }, "--format", "'ndjson'" },
      { { "--limit", "many" }, "\nrollcall: --limit: many: expected a whole number of at least 1\n" },
      { { "--limit", "0" }, "--limit: 0: expected" },
      { { "--limit", "-1" }, "--limit: -1: expected" },
      { { "--page-size", "1.5" }, "--page-size: 1.5: expected" },
      { { "--page-size=-20" }, "--page-size: -20: expected" },
      { { "--bom", "-1" }, "option '--bom' does not take arguments" },
      { { "--bom" }, "rollcall: --bom is for --format csv\n" },
      { { "--formulas", "--format", "ndjson" }, "rollcall: --formulas is for --format csv\n" },
      { { "dintero", "--page-size", "10" }, "rollcall: --page-size: no source here takes one\n" },
      { { "--filter", "red" }, "--filter: red: expected NAME=VALUE" },
      { { "nowhere" }, "nowhere", "dintero, tesouro" },
      { { "--resume", path "none", "--format", "json" }, "--format ndjson" },
      { { "--nonsense" }, "--nonsense" },
      { { "--now", "noon" }, "--now: noon: expected a time of RFC 3339", "or a date alone" },
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
        command.line { "users", "tesouro", "--format", format, "--page-size", "5" }, path "status"))
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
      assert.equal(NO_PAGE_SIZE, errors)
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
    command.await(function() -- until it has asked
      return sandbox.stats().tesouro.token_requests > 0
    end)
    local start = os.time()
    os.execute("sleep 0.2; kill -INT " .. pid)
    local said = process:read "*a"
    process:close()
    check.contains(said, "interrupted", "status 130")
    assert.is_true(os.time() - start < 10)
  end)

  it("is over when its output is written: that is ended at once, too", function()
    local fifo, errors, status = path "full", path "full-errors", path "full-status" -- no other test's
    os.execute("mkfifo " .. fifo)
    local reader = assert(io.open(fifo, "r+b"))
    os.execute(("dd if=/dev/zero of=%s bs=1024 oflag=nonblock 2>/dev/null"):format(fifo)) -- until it is full
    local process = assert(io.popen(("sh -c 'echo $$ >&3; exec %s' 3>&1 >%s 2>%s; echo $? >%s"):format(
      command.line({ "review", "--verbose" }):gsub("'", "'\\''"), fifo, errors, status)))
    local pid = assert(tonumber(process:read "*l"))
    finally(function() -- who still wrote would for ever
      if not command.read(status) then
        os.execute("kill -KILL " .. pid)
      end
      process:close()
      reader:close()
    end)
    command.await(function()
      local text, told = command.read(errors) or "", 0
      for users in text:gmatch "tesouro: page %d+: (%d+) users" do
        told = told + tonumber(users)
      end
      return told == 3500 and text:find "dintero: page 1 " -- all of them: it waits for no server any more
    end)
    local before, same = nil, 0
    command.await(function() -- it is at rest, in its write: until then a signal would only be remembered
      local ticks = (command.read("/proc/" .. pid .. "/stat") or ""):match "%) %S (.*)"
      ticks = ticks and ticks:gsub("^" .. ("%S+ "):rep(10), ""):match "^%S+ %S+"
      same = ticks == before and same + 1 or 0
      before = ticks
      return same >= 10
    end)
    os.execute("kill -INT " .. pid)
    assert.equal("130\n", command.await(function()
      return (command.read(status) or ""):match ".+"
    end))
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
    for text, problem in pairs {
      [""] = "it is empty",
      ["\n"] = "it is empty",
      ["nonsense\n"] = "expected a checkpoint, got another text",
      ['{"rollcall":1,"parts":{"tesouro":"?"},"output":{"format":[1]}}\n'] = "it does not say of which output it is",
    } do
      command.write(saved, text)
      local errors, status = complaints { "users", "tesouro", "--format", "csv", "--resume", saved }
      assert.equal(2, status)
      assert.equal(("rollcall: --resume: %s: %s; remove it to begin anew, or name another file\n"):format(saved,
        problem), errors)
    end
    local errors, status = complaints { "users", "tesouro", "--format", "csv", "--resume", path() }
    assert.equal(2, status)
    assert.equal(("rollcall: --resume: cannot read %s: Is a directory; name another file\n"):format(path()), errors)
    errors, status = complaints { "users", "tesouro", "--format", "csv", "--resume", path "nowhere/there" }
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
    check.contains((run { "completion", "--help" }), 'eval "$(rollcall completion zsh)"', "fish | source",
      "\n         directory of $fpath\n")
    check.contains((run { "sources", "--help" }), "\n  }\n\nWithout a configuration", "DINTERO_ACCOUNTS",
      "  filters and limits that always apply")
    check.contains((run { "check", "--help" }), "3 something is not well, be it the options of a source.")
    for _, name in ipairs { "users", "find", "review", "diff", "sources", "check", "sandbox" } do
      local declared, help = require("rollcall.cli." .. name), run { name, "--help" }
      for line in (declared.description .. "\n" .. declared.epilog .. "\n"):gmatch "([^\n]*)\n" do
        if line:find "^ " then -- of a list, in which no line is broken again
          check.contains(help, "\n" .. line .. "\n")
        end
      end
    end
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
      path(), root, root, line))
    assert.equal("", errors)
    check.contains(output, "rollcall ")
  end)
end)
