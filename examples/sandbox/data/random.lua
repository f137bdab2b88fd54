-- A small deterministic generator (Lehmer, the "minimal standard"): every product stays below 2^53, so doubles and
-- 64-bit integers give the same sequence.

local random = {}
local methods = {}
local metatable = { __index = methods }

local MULTIPLIER, MODULUS = 16807, 2147483647

function random.new(seed)
  local generator = setmetatable({ state = seed % (MODULUS - 1) + 1 }, metatable)
  for _ = 1, 8 do generator:int(2) end    -- similar seeds give similar first numbers
  return generator
end

-- An integer from 1 to n.
function methods:int(n)
  self.state = self.state * MULTIPLIER % MODULUS
  return self.state % n + 1
end

function methods:pick(list)
  return list[self:int(#list)]
end

function methods:chance(percent)
  return self:int(100) <= percent
end

-- A version 4 UUID that ends in `number`, which makes it unique among those of one directory.
function methods:uuid(number)
  return string.format("%08x-%04x-4%03x-%s%03x-%06x%06x", self:int(0x7fffffff), self:int(0xffff), self:int(0xfff),
    self:pick { "8", "9", "a", "b" }, self:int(0xfff), self:int(0xffffff), number)
end

return random
