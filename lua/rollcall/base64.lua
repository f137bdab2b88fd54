-- Base64 (RFC 4648, section 4).

local base64 = {}

local digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

local values = {}
for i = 1, #digits do
  values[digits:byte(i)] = i - 1
end

-- The two digits for 12 bits. Made on demand: making all of them would cost every script a millisecond.
local pairs_of_digits = setmetatable({}, { __index = function(made, bits)
  local first, second = math.floor(bits / 64) + 1, bits % 64 + 1
  made[bits] = digits:sub(first, first) .. digits:sub(second, second)
  return made[bits]
end })

---@param text string
---@return string
function base64.encode(text)
  local out, n, past = {}, 0, -#text % 3
  text = text .. ("\0"):rep(past)
  for i = 1, #text, 3 do
    local a, b, c = text:byte(i, i + 2)
    local low = b % 16
    out[n + 1] = pairs_of_digits[a * 16 + (b - low) / 16]
    out[n + 2] = pairs_of_digits[low * 256 + c]
    n = n + 2
  end
  local encoded = table.concat(out)
  return encoded:sub(1, #encoded - past) .. ("="):rep(past)
end

--- nil if the text is not base64.
---@param text string
---@return string?
function base64.decode(text)
  local body, padding = text:match("^([A-Za-z0-9+/]*)(=?=?)$")
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
