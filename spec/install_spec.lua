-- `make install` and `make uninstall`, in a directory of their own, which Luas it can be built for, and
-- what the command says where something is missing.

local command = require "spec.support.command"

local LUA = rawget(_G, "jit") and "luajit" or "lua5.4"
local OTHER = LUA == "luajit" and "lua5.4" or "luajit"
local version = "rollcall " .. require "rollcall.version" .. "\n"
local directory

--- A target for a Lua; what make complained of, and its status.
---@param more string? other variables
local function make(target, lua, more)
  local line = "umask 077; env -u MAKEFLAGS -u MAKELEVEL -u LUAS make -s %s LUA=%s PREFIX=%s %s"
  local _, errors, status = command.shell(line:format(
    target, lua, command.quote(directory .. "/with blanks/x"), more or ""))
  return errors, status
end

local function built(lua)
  return command.read(("%s/%s/rollcall/core.so"):format(os.getenv "BUILD" or "build", lua)) ~= nil
end

--- What the installed command says of its version, called from elsewhere without any path.
local function run(place)
  return command.shell(("cd / && env -u LUA_PATH -u LUA_CPATH -u LD_PRELOAD %s --version"):format(
    command.quote(place .. "/bin/rollcall")))
end

before_each(function()
  directory = os.tmpname()
  os.remove(directory)
end)
after_each(function()
  os.execute("rm -rf " .. directory)
end)

describe("make install", function()
  if not built(LUA) then
    pending "the module is built elsewhere"
    return
  end

  it("installs a command that finds its modules, whatever the path", function()
    local errors, status = make("install", LUA)
    assert.equal("", errors)
    assert.equal(0, status)
    local output, said = run(directory .. "/with blanks/x")
    assert.equal("", said)
    assert.equal(version, output)
    -- Nor is it closed to others where the umask is.
    assert.equal("", (command.shell(("find %s -type d ! -perm -755"):format(command.quote(directory)))))
  end)

  it("takes a relative path, and other folders for modules", function()
    local build = os.getenv "BUILD" or "build"
    local place = build .. "/install-spec" .. directory:gsub("/", "-")
    local where = ("PREFIX=%s LUADIR=%s/lua LIBDIR=%s/c"):format(place, directory, directory)
    assert.equal("", (make("install", LUA, where)))
    local output = run((command.shell("realpath " .. place):gsub("\n$", "")))
    local has_module = command.read(directory .. "/c/rollcall/core.so") ~= nil
    assert.equal("", (make("uninstall", LUA, where)))
    local left = command.shell(("find %s %s -type f"):format(place, directory))
    os.execute("rm -rf " .. place)
    assert.equal(version, output)
    assert.is_true(has_module)
    assert.equal("", left)
  end)

  it("removes modules of an older version, and nothing else", function()
    local old = directory .. "/lua/rollcall/old.lua"
    local beside = directory .. "/lua/other.lua"
    command.shell(("mkdir -p %s/lua/rollcall; touch %s %s"):format(directory, old, beside))
    assert.equal("", (make("install", LUA, "LUADIR=" .. directory .. "/lua")))
    assert.is_nil(command.read(old))
    assert.equal("", command.read(beside))
  end)

  it("says why it cannot", function()
    local none = "BUILD=" .. directory .. " lua5.4_CFLAGS= luajit_CFLAGS=-I/nonexistent"
    local function check(said, target, lua, more)
      local errors, status = make(target, lua, more)
      assert.truthy(errors:find(said, 1, true), errors)
      assert.not_equal(0, status)
    end
    check("LUA is lua5.4 or luajit, not lua5.3", "install", "lua5.3")
    check("LUA is lua5.4 or luajit, not unknown", "uninstall", "unknown")
    check("No headers of " .. LUA .. " found", "install", LUA, none)
    check("No headers of luajit found", "neovim", LUA, none)
    check("No headers of Lua 5.4 or LuaJIT found", "all", LUA, none)
  end)

  it("prepares a package under DESTDIR, which is found under PREFIX", function()
    local _, status = make("install", LUA, "DESTDIR=" .. directory .. "/stage")
    assert.equal(0, status)
    assert.is_nil(command.read(directory .. "/with blanks/x/bin/rollcall"))
    assert.equal(0, (select(3, command.shell(("mv %s/stage/%s/with* %s/"):format(directory, directory, directory)))))
    assert.equal(version, (run(directory .. "/with blanks/x")))
  end)

  it("is undone for one Lua, and leaves another's", function()
    if not built(OTHER) then
      pending "there is one Lua only"
      return
    end
    local place = directory .. "/with blanks/x"
    make("install", OTHER)
    make("install", LUA)
    assert.equal(version, (run(place)))
    assert.equal("", (make("uninstall", OTHER)))
    assert.equal(version, (run(place)))
    assert.equal("", (make("uninstall", LUA)))
    local left = command.shell(("find %s -type f"):format(command.quote(directory)))
    assert.equal("", left)
    make("install", LUA)
    make("install", OTHER)
    make("uninstall", LUA)
    assert.equal(version, (run(place)))
  end)
end)

describe("the sources", function()
  local LUA51, LUA54 = "/usr/include/lua5.1", "/usr/include/lua5.4"

  --- What gcc says of files with a Lua's headers.
  local function check(headers, files)
    if not command.read(headers .. "/lua.h") then
      pending(headers .. " is not here")
      return nil
    end
    local _, errors = command.shell(("gcc -std=c11 -fsyntax-only -Werror=implicit-function-declaration -Icsrc "
      .. "-isystem %s $(pkg-config --cflags libcurl 2>/dev/null) %s"):format(headers, files))
    return errors
  end

  --- The same of a text before compat.h.
  local function check_compat(text)
    local path = directory .. ".c"
    command.write(path, "#include <lua.h>\n" .. text .. "\n#include \"compat.h\"\n")
    local errors = check(LUA54, path)
    os.remove(path)
    return errors
  end

  it("declare what LuaJIT has beyond Lua 5.1's headers", function()
    local errors = check(LUA51, "csrc/*.c")
    if errors then
      assert.equal("", errors)
    end
  end)

  it("refuse other Luas", function()
    local errors = check_compat ""
    if not errors then
      return
    end
    assert.equal("", errors)
    for _, number in ipairs { "502", "503" } do
      errors = check_compat("#undef LUA_VERSION_NUM\n#define LUA_VERSION_NUM " .. number)
      assert.truthy(errors:find("rollcall needs Lua 5.4 or LuaJIT 2.1", 1, true), errors)
    end
    errors = check_compat "#define lua_Integer int"
    assert.truthy(errors:find("rollcall needs a Lua whose integers have 64 bits", 1, true), errors)
  end)
end)

describe("the command", function()
  local build = os.getenv "BUILD" or "build"

  --- Run by this interpreter, with these ends of its paths, it says this one line and no more.
  local function check(said, lua, path, cpath)
    local output, errors, status = command.shell(("env -u LD_PRELOAD LUA_PATH='lua/?.lua;lua/?/init.lua%s' "
      .. "LUA_CPATH='%s/%s/?.so%s' %s lua/rollcall/cli/rollcall --version"):format(path, build, LUA, cpath, lua))
    assert.equal("", output)
    assert.equal("rollcall: " .. said .. "\n", errors)
    assert.equal(2, status)
  end

  it("names the Luas that it can run on", function()
    if command.shell "command -v lua5.1" == "" then
      pending "there is no lua5.1"
      return
    end
    check("it needs Lua 5.4 or LuaJIT 2.1, not Lua 5.1", "lua5.1", "", "")
  end)

  it("names the module that is missing, and where it is had", function()
    if not built(LUA) then
      pending "the module is built elsewhere"
      return
    end
    check("module 'cjson' not found (luarocks install lua-cjson; on Debian apt install lua-cjson)", LUA, "", "")
    check("module 'argparse' not found (luarocks install argparse; on Debian apt install lua-argparse)", LUA, "", ";;")
  end)

  it("names a core that cannot be loaded in one line", function()
    local path = directory .. "/rollcall"
    command.shell("mkdir -p " .. path .. " && echo nonsense >" .. path .. "/core.so")
    local line = ("env -u LD_PRELOAD LUA_CPATH='%s/?.so' %s lua/rollcall/cli/rollcall"):format(directory, LUA)
    local _, errors, status = command.shell(line)
    assert.truthy(errors:find "^rollcall: error loading module 'rollcall.core' from file [^\n]+\n$", errors)
    assert.equal(2, status)
  end)
end)
