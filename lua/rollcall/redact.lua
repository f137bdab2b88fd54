-- Secrets stay out of everything a person may see: whatever a client knows as one is blotted out
-- of texts that a server, or a library, had a hand in.

local Redactor = {}
Redactor.__index = Redactor

local redact = {}

function redact.new()
  return setmetatable({ secrets = {} }, Redactor)
end

--- Remembers a secret. Very short ones would blot out half of every text.
---@param secret string
function Redactor:add(secret)
  if #secret >= 4 then
    self.secrets[secret] = true
  end
end

--- Forgets one that is no longer in use.
---@param secret string
function Redactor:remove(secret)
  self.secrets[secret] = nil
end

--- The text without them. All are looked for before any is taken out: one may be part of another.
---@param text string
---@return string
function Redactor:clean(text)
  local spans = {}
  for secret in pairs(self.secrets) do
    local first, last = text:find(secret, 1, true)
    while first do
      spans[#spans + 1] = { first, last }
      first, last = text:find(secret, last + 1, true)
    end
  end
  table.sort(spans, function(a, b)
    return a[1] < b[1]
  end)
  local parts, done = {}, 0
  for _, span in ipairs(spans) do
    if span[1] > done then
      parts[#parts + 1] = text:sub(done + 1, span[1] - 1) .. "[secret]"
    end
    done = math.max(done, span[2])
  end
  return table.concat(parts) .. text:sub(done + 1)
end

return redact
