-- Secrets of a client that a server puts into what leads to the next page: they would be in a URL and in checkpoints.

local leak = {}

-- Names, not secrets: the caller is a user of the directory like others, and links may name it.
local NAMES = { client_id = true, username = true }
local SEPARATORS = { [("/"):byte()] = true, [("?"):byte()] = true, [("&"):byte()] = true, [("="):byte()] = true }

--- How much of a URL it shares with another one, up to a separator.
local function shared(url, other)
  local last = 0
  for i = 1, #url do
    local byte = url:byte(i)
    if byte ~= other:byte(i) then
      break
    elseif SEPARATORS[byte] then
      last = i
    end
  end
  return last
end

--- Is there one in a position?
---@param position rollcall.Position?
---@param asked string the URL of the page that says so: what it has in common with the next one, the server was told
---@param redactor table which knows the client's secrets
---@return boolean
function leak.is_in(position, asked, redactor)
  for name, value in pairs(position or {}) do
    if type(value) == "string" then
      local cleaned = redactor:clean(value, NAMES)
      local same = cleaned ~= value and name == "url" and shared(value, asked) or 0
      if cleaned ~= value and cleaned ~= redactor:clean(value:sub(1, same), NAMES) .. value:sub(same + 1) then
        return true
      end
    end
  end
  return false
end

return leak
