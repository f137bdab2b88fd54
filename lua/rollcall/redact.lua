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

---@param text string
---@return string
function Redactor:clean(text)
  for secret in pairs(self.secrets) do
    local from = 1
    local first, last = text:find(secret, from, true)
    while first do
      text = text:sub(1, first - 1) .. "[secret]" .. text:sub(last + 1)
      from = first + #"[secret]"
      first, last = text:find(secret, from, true)
    end
  end
  return text
end

return redact
