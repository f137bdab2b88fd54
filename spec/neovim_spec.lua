-- Tasks in Neovim, and the plugin of examples/neovim. Each case is an editor of its own, headless, that runs a
-- script and prints what it saw as JSON.

local cjson = require "cjson"

local check = require "spec.support.check"
local core = require "rollcall.core"
local sandbox = require "spec.support.sandbox"
local terminal = require "spec.support.terminal"

teardown(sandbox.restore)
before_each(function()
  sandbox.reset()
end)

-- What every script has: `say(value)` ends the editor, `wait(f)` lets it go on until f() is true.
local PRELUDE = [[
local uv = vim.loop
local made = {}
for _, kind in ipairs { "poll", "prepare", "idle", "timer" } do
  local make = uv["new_" .. kind]
  uv["new_" .. kind] = function(...)
    local handle, problem = make(...)
    made[#made + 1] = handle
    return handle, problem
  end
end
local function handles_left()
  local left = 0
  for _, handle in ipairs(made) do
    left = left + (handle:is_closing() and 0 or 1)
  end
  return left
end
local function say(value)
  io.stdout:write("\nSAID ", vim.json.encode(value), "\n")
  io.stdout:flush()
  vim.cmd "qall!"
end
local function wait(f)
  assert(vim.wait(15000, f, 5), "it took too long")
end
local notified = {}
vim.notify = function(message, level)
  notified[#notified + 1] = { message, level }
end
local function tesouro(options)
  return require("rollcall").tesouro(vim.tbl_extend("force", {
    client_id = os.getenv "SANDBOX_CLIENT_ID", client_secret = os.getenv "SANDBOX_CLIENT_SECRET",
    base_url = os.getenv "SANDBOX_TESOURO_URL" }, options or {}))
end
local function view()
  local _, one = next(require("rollcall_nvim").views)
  return one
end
local function lines(buffer)
  return vim.api.nvim_buf_get_lines(buffer or view().buffer, 0, -1, false)
end
local function setup(options)
  require("rollcall_nvim").setup { clients = { tesouro = vim.tbl_extend("force", {
    client_id = os.getenv "SANDBOX_CLIENT_ID", client_secret = os.getenv "SANDBOX_CLIENT_SECRET",
    base_url = os.getenv "SANDBOX_TESOURO_URL" }, options or {}) } }
end
local function press(keys)
  vim.api.nvim_feedkeys(vim.api.nvim_replace_termcodes(keys, true, false, true), "xt", false)
end
]]

--- Runs a script in an editor; answers what it said, all that it printed, its status and how long it took.
local function nvim(script, arguments)
  local path = os.tmpname()
  local file = assert(io.open(path .. ".lua", "w"))
  file:write(PRELUDE, script)
  file:close()
  local start = core.now()
  local process = assert(io.popen(("env LUA_CPATH='%s' timeout 30 nvim --headless -u NONE -i NONE -n "
    .. "--cmd 'set runtimepath^=examples/neovim' --cmd 'runtime plugin/rollcall.lua' %s -S %s.lua </dev/null 2>&1; "
    .. "echo STATUS $?"):format(os.getenv "HOST_CPATH", arguments or "", path)))
  local text = process:read "*a"
  process:close()
  os.remove(path)
  os.remove(path .. ".lua")
  local said = text:match "\nSAID ({[^\n]*})\n"
  return said and cjson.decode(said) or {}, text, tonumber(text:match "STATUS (%d+)"), core.now() - start
end

local all = #sandbox.data.tesouro.users { status = "ALL" }

describe("a task in Neovim", function()
  it("walks while the editor goes on, and may call its API", function()
    sandbox.configure "delay_ms=5"
    local said, text = nvim [[
      local ticks, fast, timer = 0, false, uv.new_timer()
      timer:start(5, 5, function() ticks = ticks + 1 end)
      local count
      require("rollcall").spawn(function()
        local n = 0
        for _ in tesouro():users { status = "ALL" } do
          n = n + 1
          fast = fast or vim.in_fast_event()
          vim.api.nvim_buf_set_lines(0, 0, 1, false, { "user " .. n })
        end
        return n
      end, function(err, n)
        fast = fast or vim.in_fast_event()
        timer:close()
        count = err and tostring(err) or n
      end)
      wait(function() return count end)
      say { count = count, ticks = ticks, fast = fast, left = handles_left(), line = vim.fn.getline(1) }
    ]]
    assert.same({ count = all, fast = false, left = 0, line = "user " .. all, ticks = said.ticks }, said, text)
    assert.truthy(said.ticks > 20, text)
  end)

  it("needs nothing else that wakes the editor", function()
    sandbox.configure "delay_ms=5"
    local said, text, _, seconds = nvim [[
      require("rollcall").spawn(function()
        return tesouro():users({ status = "ALL" }):count()
      end, function(err, n)
        say { count = err and tostring(err) or n, left = handles_left() }
      end)
    ]]
    assert.same({ count = all, left = 0 }, said, text)
    assert.truthy(seconds < 3, seconds)
  end)

  it("blocks outside of one, as a script does", function()
    local said, text = nvim [[
      say { count = tesouro():users({ status = "ALL" }):count(), left = handles_left() }
    ]]
    assert.same({ count = all, left = 0 }, said, text)
  end)

  it("can be begun in a callback that may not call the API", function()
    local said, text = nvim [[
      local count, timer = nil, uv.new_timer()
      local client = tesouro()
      local rollcall = require "rollcall"
      timer:start(1, 0, function()
        assert(vim.in_fast_event())
        timer:close()
        rollcall.spawn(function()
          assert(not vim.in_fast_event())
          return client:users({ limit = 5 }):count()
        end, function(err, n)
          count = err or n
        end)
      end)
      wait(function() return count end)
      say { count = count, left = handles_left() }
    ]]
    assert.same({ count = 5, left = 0 }, said, text)
  end)

  it("loses no error: what nobody takes is the editor's to show", function()
    local _, text = nvim [[
      require("rollcall").spawn(function()
        vim.defer_fn(function() say { after = true } end, 100)
        error "nobody takes me"
      end)
    ]]
    check.contains(text, "nobody takes me", "stack traceback", 'SAID {"after":true}')
  end)

  it("ends with the editor, at once and without a word", function()
    sandbox.configure "delay_ms=2000"
    local _, text, status, seconds = nvim [[
      local rollcall = require "rollcall"
      for _ = 1, 3 do
        rollcall.spawn(function()
          tesouro():users({ status = "ALL" }):count()
        end)
      end
      rollcall.spawn(function()
        vim.defer_fn(function() vim.cmd "qall" end, 200)
        local users, err = tesouro():users():collect()
        io.stdout:write("ENDED ", tostring(users), " ", err.kind, "\n")
      end)
    ]]
    assert.equal(0, status, text)
    assert.truthy(seconds < 2, seconds)
    assert.equal("ENDED nil closed\n", (text:match "^(.*)STATUS 0\n$"), text)
  end)

  it("is told of its end when the editor is left, whatever another one's on_done raises", function()
    sandbox.configure "delay_ms=2000"
    local _, text, status, seconds = nvim [[
      local rollcall = require "rollcall"
      for i = 1, 3 do
        rollcall.spawn(function()
          for _ in tesouro():users() do end
        end, function(err)
          io.stdout:write("TOLD ", err.kind, "\n")
          error("on_done " .. i)
        end)
      end
      vim.defer_fn(function()
        rollcall.spawn(function()
          vim.schedule(function() vim.cmd "qall" end) -- before on_done has its turn
          return "late"
        end, function(_, value)
          io.stdout:write("TOLD ", value, "\n")
        end)
      end, 200)
    ]]
    assert.equal(0, status, text)
    assert.truthy(seconds < 2, seconds)
    assert.equal(3, select(2, text:gsub("TOLD closed", "")), text)
    assert.equal(1, select(2, text:gsub("TOLD late", "")), text)
    check.contains(text, "on_done 1", "on_done 2", "on_done 3")
  end)

  it("is told of its end where the editor is left right behind spawn", function()
    sandbox.configure "delay_ms=2000"
    local _, text, status = nvim [[
      require("rollcall").spawn(function()
        for _ in tesouro():users() do end
      end, function(err)
        io.stdout:write("TOLD ", tostring(err), "\n")
      end)
      vim.cmd "qall"
    ]]
    assert.equal(0, status, text)
    assert.equal(1, select(2, text:gsub("TOLD closed", "")), text)
  end)

  it("is told of its end also where it begins when another ends as the editor is left, a few times", function()
    sandbox.configure "delay_ms=2000"
    local _, text, status, seconds = nvim [[
      local rollcall = require "rollcall"
      local function begin(times)
        rollcall.spawn(function()
          assert(tesouro():users():next())
        end, function(err)
          io.stdout:write("TOLD ", err.kind, "\n")
          if times > 0 then
            begin(times - 1)
          end
        end)
      end
      begin(1)
      begin(math.huge)
      vim.defer_fn(function() vim.cmd "qall" end, 200)
    ]]
    assert.equal(0, status, text)
    assert.truthy(seconds < 2, seconds)
    local told = select(2, text:gsub("TOLD closed", ""))
    assert.truthy(told >= 2 + 2 and told < 100, text)
  end)

  it("that was cancelled says what else its function has raised", function()
    sandbox.configure "delay_ms=200"
    local _, text = nvim [[
      local rollcall = require "rollcall"
      local tasks, begun = {}, 0
      for i, f in ipairs {
        function(stream) for _ in stream do end end,
        function(stream) assert(stream:next()) end,
        function(stream) error(tostring(select(2, stream:collect()))) end,
        function(stream) stream:collect() error "a mistake of its own" end,
      } do
        tasks[i] = rollcall.spawn(function()
          begun = begun + 1
          f(tesouro():users())
        end)
      end
      wait(function() return begun == 4 end)
      for _, task in ipairs(tasks) do task:cancel() end
      wait(function() return handles_left() == 0 end)
      say { left = handles_left() }
    ]]
    check.contains(text, "a mistake of its own", 'SAID {"left":0}')
    assert.equal(1, select(2, text:gsub("rollcall%.spawn:", "")), text)
    assert.is_nil(text:find("was cancelled", 1, true), text)
  end)

  it("has its JSON from the editor where cjson is not installed", function()
    local said, text = nvim [[
      package.preload.cjson = function() error "it is not installed" end
      local rollcall = require "rollcall"
      local done
      local saw = { null = rollcall.null == vim.NIL, cjson = pcall(require, "cjson") }
      rollcall.spawn(function()
        local n, good = 0, true
        for user in tesouro():users { status = "ALL" } do
          n = n + 1
          good = good and vim.deep_equal(vim.json.decode(rollcall.json(user)),
            vim.json.decode(vim.json.encode(rollcall.totable(user))))
        end
        saw.count, saw.good = n, good
        local _, err = tesouro({ client_secret = "hunter22-wrong" }):users():collect()
        saw.kind, saw.message = err.kind, tostring(err)
      end, function(err)
        saw.err = err and tostring(err)
        done = true
      end)
      wait(function() return done end)
      say(saw)
    ]]
    assert.is_true(said.null, text)
    assert.is_false(said.cjson)
    assert.is_nil(said.err)
    assert.equal(all, said.count)
    assert.is_true(said.good)
    assert.equal("auth", said.kind)
    check.contains(said.message, "401")
    check.no_secret(said, { "hunter22-wrong" })
  end)
end)

describe(":Rollcall", function()
  it("fills a buffer as users arrive, and says how far it is", function()
    sandbox.configure "delay_ms=20"
    local said, text = nvim [[
      setup()
      vim.cmd "Rollcall tesouro status=ALL"
      local middle
      wait(function()
        middle = lines()
        return #middle > 200
      end)
      wait(function() return view().state ~= "walking" end)
      say { middle = middle[1], count = #middle, head = lines()[1], all = #lines(), last = lines()[#lines()],
        left = handles_left(), modified = vim.bo.modified, name = vim.fn.bufname "%" }
    ]]
    check.contains(said.middle or text, "tesouro: ", "walking; <C-c> ends it")
    assert.truthy(said.count < all, said.count)
    check.contains(said.head, ("tesouro: %d users"):format(all), "all there")
    assert.equal(all + 1, said.all)
    local users = sandbox.data.tesouro.users { status = "ALL" }
    check.contains(said.last, users[all].email)
    assert.equal(0, said.left)
    assert.is_false(said.modified)
    check.contains(said.name, "rollcall://tesouro")
  end)

  it("is ended by a key, and goes on where it was", function()
    sandbox.configure "delay_ms=20"
    local said, text = nvim [[
      setup()
      vim.cmd "Rollcall tesouro status=ALL"
      wait(function() return #lines() > 200 end)
      press "<C-c>"
      wait(function() return view().state == "ended" end)
      local ended, left = lines(), handles_left()
      press "r"
      wait(function() return view().state ~= "walking" end)
      local emails = {}
      for i = 2, #lines() do
        emails[i - 1] = lines()[i]
      end
      say { ended = ended[1], count = #ended, left = left, head = lines()[1], emails = emails }
    ]]
    check.contains(said.ended or text, "ended; r goes on")
    assert.truthy(said.count < all)
    assert.equal(0, said.left)
    check.contains(said.head, ("tesouro: %d users"):format(all), "all there")
    for i, user in ipairs(sandbox.data.tesouro.users { status = "ALL" }) do
      assert.equal(user.email, said.emails[i]:sub(1, #user.email))
    end
    assert.equal(all, #said.emails)
  end)

  it("ends with its buffer", function()
    sandbox.configure "delay_ms=50"
    local said, text = nvim [[
      setup()
      vim.cmd "Rollcall tesouro status=ALL page_size=10"
      wait(function() return #lines() > 20 end)
      vim.cmd "bwipeout"
      wait(function() return handles_left() == 0 end)
      say { views = vim.tbl_count(require("rollcall_nvim").views), notified = #notified }
    ]]
    assert.same({ views = 0, notified = 0 }, said, text)
    local before = sandbox.stats().tesouro.user_requests
    core.wait({}, 0.3)
    assert.equal(before, sandbox.stats().tesouro.user_requests)
    assert.truthy(before < 50, before)
  end)

  it("shows errors in the buffer and as a message, without secrets", function()
    local said, text = nvim [[
      setup { client_secret = "hunter22-wrong" }
      vim.cmd "Rollcall tesouro"
      wait(function() return view().state ~= "walking" end)
      local head = lines()[1]
      vim.cmd "Rollcall tesouro state=ALL"
      vim.cmd "Rollcall tesouro nonsense"
      vim.cmd "Rollcall nobody"
      wait(function() return #notified >= 4 end)
      say { head = head, notified = notified }
    ]]
    check.contains(said.head or text, "failed: auth:", "401")
    check.contains(said.notified[1][1], "auth:")
    local rest = {}
    for i = 2, #said.notified do
      rest[#rest + 1] = said.notified[i][1]
    end
    check.contains(table.concat(rest, "\n"), "did you mean status?", "{option}={value}", "no provider")
    assert.is_nil(table.concat(rest, "\n"):find ".lua:") -- it is no business of a user's where
    check.no_secret({ said, text }, { "hunter22-wrong" })
  end)

  it("has help, a health check, and names to complete", function()
    local said, text = nvim [[
      local directory = vim.fn.tempname()
      vim.fn.mkdir(directory .. "/doc", "p")
      vim.fn.writefile(vim.fn.readfile "examples/neovim/doc/rollcall.txt", directory .. "/doc/rollcall.txt")
      vim.opt.runtimepath:append(directory)
      vim.cmd("helptags " .. directory .. "/doc")
      vim.cmd "help rollcall"
      local help = vim.fn.expand "%:t"
      for _, tag in ipairs { ":Rollcall", "rollcall-setup", "rollcall.spawn()" } do
        vim.cmd("help " .. tag)
        help = help .. " " .. vim.fn.expand "%:t"
      end
      setup()
      vim.cmd "runtime! autoload/health.vim"
      vim.cmd "checkhealth rollcall_nvim"
      say { help = help, health = table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), "\n"),
        complete = vim.fn.getcompletion("Rollcall d", "cmdline") }
    ]]
    assert.equal("rollcall.txt rollcall.txt rollcall.txt rollcall.txt", said.help, text)
    check.contains(said.health, "rollcall " .. require "rollcall.version", "waits by the editor's own loop",
      "tesouro: has what it needs", "dintero: ")
    assert.same({ "dintero" }, said.complete)
  end)
end)

describe("the plugin on a terminal", function()
  if not terminal.is_there() then
    pending "this machine gives no pseudo terminals"
    return
  end

  local COLUMNS, LINES = 100, 16
  local setup_file, editor

  setup(function()
    setup_file = os.tmpname()
    local file = assert(io.open(setup_file, "w"))
    file:write [[
      require("rollcall_nvim").setup { clients = { tesouro = {
        client_id = os.getenv "SANDBOX_CLIENT_ID", client_secret = os.getenv "SANDBOX_CLIENT_SECRET",
        base_url = os.getenv "SANDBOX_TESOURO_URL" } } }
    ]]
    file:close()
  end)
  teardown(function()
    os.remove(setup_file)
  end)
  before_each(function()
    sandbox.configure "delay_ms=80"
    editor = terminal.open(("env LUA_CPATH='%s' nvim -u NONE -i NONE -n --cmd 'set runtimepath^=examples/neovim' "
      .. "--cmd 'runtime plugin/rollcall.lua' --cmd 'luafile %s'"):format(os.getenv "HOST_CPATH", setup_file),
      { columns = COLUMNS, lines = LINES })
    editor:await "%[No Name%]"
    editor:type(":Rollcall tesouro status=ALL", "Enter")
  end)
  after_each(function()
    editor:close()
  end)

  --- The number of users that the first line tells of, and what else it says.
  local function progress(screen)
    local users, rest = screen:match "tesouro: (%d+) users, (.-)\n"
    return tonumber(users), rest
  end

  --- How many users it shows.
  local function shown(screen)
    local n = 0
    for line in screen:gmatch "[^\n]+" do
      n = n + (line:find "^%S+@%S+ +.- +%u+ +%S" and 1 or 0)
    end
    return n
  end

  it("shows users while others are still to come, obeys keys meanwhile, and shows all in the end", function()
    local users = sandbox.data.tesouro.users { status = "ALL" }
    local middle = editor:await "tesouro: %d%d%d+ users, %d+ pages, [%d.]+ s %- . walking; <C%-c> ends it"
    local before, rest = progress(middle)
    assert.truthy(before > 0 and before < all, middle)
    check.contains(middle, users[1].email, "rollcall://tesouro/")
    assert.truthy(shown(middle) >= 5, middle)
    assert.is_nil(rest:find "all there")
    -- What is typed meanwhile is done at once.
    editor:type(":echo line('$') > 50 'typed while walking'", "Enter")
    middle = editor:await "1 typed while walking"
    assert.truthy(middle:find "walking; <C%-c> ends it", middle)
    assert.truthy(progress(middle) < all, middle)
    local done = editor:await "all there"
    local after, text = progress(done)
    assert.equal(all, after)
    assert.truthy(text:find "^%d+ pages, [%d.]+ s %- all there$", text)
    editor:type "G"
    done = editor:await(users[all].email:gsub("%p", "%%%0"))
    assert.truthy(shown(done) >= 5, done)
    assert.is_nil(done:find "E%d+:", done)
  end)

  it("shows that a key has ended the walk, and goes on by another", function()
    editor:await "walking; <C%-c> ends it"
    editor:await "tesouro: %d%d%d+ users"
    editor:type "C-c"
    local ended = editor:await "ended; r goes on"
    local users = progress(ended)
    assert.truthy(users > 0 and users < all, ended)
    assert.truthy(shown(ended) >= 5, ended)
    core.wait({}, 0.3)
    assert.equal(ended, editor:screen()) -- nothing comes any more
    editor:type "r"
    assert.equal(all, (progress(editor:await "all there")))
  end)

  it("leaves in the middle without a word", function()
    editor:await "tesouro: %d%d%d+ users"
    editor:type(":qall", "Enter")
    local left = editor:await "%[ended %d+%]"
    assert.equal("[ended 0]\n", (left:gsub("\n+$", "\n")))
  end)
end)
