-- :checkhealth rollcall_nvim

local M = {}

-- Neovim 0.10 has the first names, 0.7 the second.
local health = vim.health or require "health"
local start = health.start or health.report_start
local ok = health.ok or health.report_ok
local warn = health.warn or health.report_warn
local fail = health.error or health.report_error
local info = health.info or health.report_info

local function can_load(name, advice)
  local good, found = pcall(require, name)
  if not good then
    fail(("%s cannot be loaded: %s"):format(name, tostring(found):match "^[^\n]*"), { advice })
  end
  return good and found or nil
end

function M.check()
  start "rollcall"
  local core = can_load("rollcall.core",
    "build it for LuaJIT: `make install LUA=luajit`, or `luarocks --lua-version 5.1 make`")
  local rollcall = core and can_load("rollcall", "install all of rollcall's modules of one version")
  if not rollcall then
    return
  end
  ok("rollcall " .. rollcall.VERSION)
  if pcall(require, "cjson") then
    ok "JSON by lua-cjson"
  else
    info "JSON by vim.json, since lua-cjson is not installed"
  end
  if require("rollcall.loop").detect() == require "rollcall.loop.uv" then
    ok "waits by the editor's own loop"
  else
    fail("waits by another loop than the editor's", { "rollcall is older than this plugin" })
  end
  local module = require "rollcall_nvim"
  for _, provider in ipairs(module.providers()) do
    local good, problem = pcall(module.client, provider)
    if good then
      ok(provider .. ": has what it needs to sign in")
    else
      local message = module.message(problem)
      warn(vim.startswith(message, provider .. ":") and message or provider .. ": " .. message,
        { "say it in setup{}, or in the environment: :help rollcall-setup" })
    end
  end
end

return M
