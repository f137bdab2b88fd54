-- Base64 (RFC 4648, section 4).

local base64 = {}

local digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

local values = {}
for i = 1, #digits do
  values[digits:byte(i)] = i - 1
end

---@param text string
---@return string
function base64.encode(text)
  local out = {}
  for i = 1, #text, 3 do
    local a, b, c = text:byte(i, i + 2)
    local n = a * 65536 + (b or 0) * 256 + (c or 0)
    for j = 1, 4 do
      local digit = math.floor(n / 64 ^ (4 - j)) % 64
      local past = (j == 3 and not b) or (j == 4 and not c)
      out[#out + 1] = past and "=" or digits:sub(digit + 1, digit + 1)
    end
  end
  return table.concat(out)
end

--- nil where the text is none.
---@param text string
---@return string?
function base64.decode(text)
  local body, padding = text:match("^([%w+/]*)(=?=?)$")
  if not body or #text % 4 ~= 0 then
    return nil
  end
  local out = {}
  for i = 1, #body, 4 do
    local a, b, c, d = body:byte(i, i + 3)
    local n = values[a] * 262144 + (b and values[b] or 0) * 4096 + (c and values[c] or 0) * 64 + (d and values[d] or 0)
    out[#out + 1] = string.char(math.floor(n / 65536) % 256, math.floor(n / 256) % 256, n % 256)
  end
  local joined = table.concat(out)
  return joined:sub(1, #joined - #padding)
end

return base64
