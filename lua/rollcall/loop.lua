-- How a client waits: by the loop of its host, or by a loop that its options name or contain.

---@class rollcall.Loop how to wait, and how to let others go on
---@field wait fun(engines: rollcall.Engine[], seconds: number?, stream: rollcall.Stream): boolean?, rollcall.Error?
---  returns when one of the engines may have news, or after this many seconds (nil: no limit), or earlier. It may yield
---  the running coroutine. `nil, err` ends the stream, which is the one that waits
---@field turn (fun(stream: rollcall.Stream): boolean?, rollcall.Error?)? lets others that have something to do go on,
---  and returns; results as of `wait`. Called often while users are plentiful: calls within a few milliseconds of the
---  last may return at once
---@field slice number? seconds between calls of `turn` while users are plentiful, 0.002 by default
---@field wake (fun())? called when a stream or a client was closed, because another coroutine may be waiting in it; for
---  loops that do not notice it themselves
---@field spawn (fun(f: function, on_done: function?): rollcall.Task)? see rollcall.spawn; only of the built-in loops

local loop = {}

-- Hosts in order of detection.
local hosts = {
  { name = "nginx", is_here = function()
    local ngx = rawget(_G, "ngx") or package.loaded.ngx
    return type(ngx) == "table" and ngx.get_phase ~= nil
  end },
  { name = "uv", is_here = function()
    local vim = rawget(_G, "vim")
    -- Neovim's main loop: Vim has such a table, too, and Neovim's threads have one without `schedule`.
    return type(vim) == "table" and (vim.uv or vim.loop) ~= nil and vim.schedule ~= nil
      or not vim and package.loaded.luv ~= nil
  end },
}

--- The names that the client option takes.
loop.names = { "blocking" }
for _, host in ipairs(hosts) do
  loop.names[#loop.names + 1] = host.name
end

--- The loop of that name, or nil and why it is not available here.
---@param name string
---@return rollcall.Loop?
---@return string? problem
function loop.named(name)
  local module = "rollcall.loop." .. name
  local good, found = pcall(require, module)
  if good then
    return found
  end
  package.loaded[module] = nil -- otherwise LuaJIT would not say next time why it failed
  return nil, ("%s: %s"):format(name, tostring(found):match "^[^\n]*")
end

--- The loop of the host in which this runs.
---@return rollcall.Loop
function loop.detect()
  for _, host in ipairs(hosts) do
    if host.is_here() then
      return require("rollcall.loop." .. host.name)
    end
  end
  return require "rollcall.loop.blocking"
end

return loop
