-- How a client waits: by the loop of the host that it runs in, or one that its options name or bring.

---@class rollcall.Loop how to wait, and for whom else there is work
---@field wait fun(engines: rollcall.Engine[], seconds: number?, stream: rollcall.Stream): boolean?, rollcall.Error?
---  returns when one of the engines may have news, or so many seconds are over (nil: no limit); early is allowed. It
---  may yield the coroutine that runs. nil and an error end the stream, which is the one that waits
---@field turn (fun(stream: rollcall.Stream): boolean?, rollcall.Error?)? lets whoever else has something to do go on,
---  and returns. Called often while users are plentiful: what is no more than a few milliseconds after the last time
---  may be left out
---@field slice number? seconds that users may be plentiful before it is called, 0.002
---@field wake (fun())? a stream or a client was closed, which another coroutine may wait in; of those loops that do not
---  see it by themselves
---@field spawn (fun(f: function, on_done: function?): rollcall.Task)? see rollcall.spawn; of the built-in ones

local loop = {}

-- Hosts, the first that is here is it.
local hosts = {
  { name = "nginx", is_here = function()
    local ngx = rawget(_G, "ngx") or package.loaded.ngx
    return type(ngx) == "table" and ngx.get_phase ~= nil
  end },
  { name = "uv", is_here = function()
    local vim = rawget(_G, "vim")
    -- Neovim's main loop: Vim has such a table, too, and threads of Neovim's have one without it.
    return type(vim) == "table" and (vim.uv or vim.loop) ~= nil and vim.schedule ~= nil
      or not vim and package.loaded.luv ~= nil
  end },
}

--- The names that the client option takes.
loop.names = { "blocking" }
for _, host in ipairs(hosts) do
  loop.names[#loop.names + 1] = host.name
end

--- The loop of that name, or nil and why it is not to be had here.
---@param name string
---@return rollcall.Loop?
---@return string? problem
function loop.named(name)
  local module = "rollcall.loop." .. name
  local good, found = pcall(require, module)
  if good then
    return found
  end
  package.loaded[module] = nil -- LuaJIT would say next time that it was tried before, and not why it failed
  return nil, ("%s: %s"):format(name, tostring(found):match "^[^\n]*")
end

--- The loop of the host that this runs in.
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
