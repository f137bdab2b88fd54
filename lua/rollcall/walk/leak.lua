-- Detects secrets of a client in a position that a server sends: they would end up in a URL and in checkpoints.

local leak = {}

-- Uses that identify the caller without being secret: the caller may be listed in the directory itself.
local NAMES = { client_id = true, username = true }
-- Bytes of the shortest secret that is looked for: a link may contain shorter ones, such as "test", by chance.
local SHORTEST = 8
local SEPARATORS = { [("/"):byte()] = true, [("?"):byte()] = true, [("&"):byte()] = true, [("="):byte()] = true }

--- May a link contain this, although errors hide it? Headers without credentials, such as a version, are not secret.
local function is_allowed(use, secret)
  local is_word = #secret < SHORTEST and not secret:find "%d"
  return NAMES[use] or is_word or type(use) == "string" and use:find "^header " ~= nil
end

--- The length of the beginning, up to a separator, that a URL shares with another one.
local function shared(url, other)
  local last = 0
  for i = 1, #url do
    local byte = url:byte(i)
    if byte ~= other:byte(i) then
      return i == #other + 1 and SEPARATORS[byte] and i or last -- all of it, where only more follows
    elseif SEPARATORS[byte] then
      last = i
    end
  end
  return last
end

--- Does a position contain a secret?
---@param position rollcall.Position?
---@param asked string URL of the page that names the position: the server knows what the next one shares with it
---@param redactor table knows the client's secrets
---@return boolean
function leak.is_in(position, asked, redactor)
  for name, value in pairs(position or {}) do
    if type(value) == "string" then
      local cleaned = redactor:clean(value, is_allowed)
      local same = cleaned ~= value and name == "url" and shared(value, asked) or 0
      if cleaned ~= value and cleaned ~= redactor:clean(value:sub(1, same), is_allowed) .. value:sub(same + 1) then
        return true
      end
    end
  end
  return false
end

return leak
