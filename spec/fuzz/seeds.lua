-- Writes the seeds of the fuzz targets: users of the sandbox, generated documents, edge cases of JSON and HTTP.
--
--   lua spec/fuzz/seeds.lua DIRECTORY
--
-- Each target's go to DIRECTORY/NAME, which must be there. What the first bytes of a seed mean, each target says.

package.path = "./?.lua;examples/?.lua;" .. package.path

local data = require "sandbox.data"
local documents = require "spec.support.documents"

local directory = assert(arg[1], "expected a directory")
local written = {}

local function seed(target, ...)
  written[target] = (written[target] or 0) + 1
  local name = ("%s/%s/%03d"):format(directory, target, written[target])
  local file = assert(io.open(name, "wb"))
  file:write(...)
  file:close()
end

-- JSON: each by itself, and as what the items of a list are or hold.
local edges = {
  "", " ", "{}", "[]", "[{}]", "[[]]", "null", "true", "false", '""', "0", "-0", "-", "1.", ".5", "01", "1e5", "1E+05",
  "-0.0e-0", "1e", "12345678901234567890123456789012345678901234567890", "1e99999999999", "nul", "nulll", "True",
  '"\\u0000"', '"\\uD834\\uDD1E"', '"\\uD834"', '"\\uDD1E"', '"\\uD834\\uD834"', '"\\ud834x"', '"\\u00g0"', '"\\x41"',
  '"\127"', '"\31"', '"\0"', '"\195\169"', '"\192\128"', '"\224\159\191"', '"\237\160\128"', '"\240\157\132\158"',
  '"\240\143\191\191"', '"\244\144\128\128"', '"\195"', '"\128"', "\239\187\191[]", "[1,]", "[,1]", "[1 2]", "[1", "]",
  '{"a":1,}', '{"a"}', '{"a":}', "{a:1}", "{1:2}", '{"a":1,"a":2,"\\u0061":3}', '{"":{"":[{}]}}', '[{"a":1}{"b":2}]',
  '"\\"\\\\\\/\\b\\f\\n\\r\\t"', "[]]", "[] []", "[]\n", "/**/[]", "[\f]", "NaN", "-Infinity",
}
local deep = { 3, 63, 64, 65, 66, 130 }

local function choose(...)
  return string.char(...)
end

local function json_seed(text)
  seed("json", choose(255, #text % 256, 255), text)
end

local function list_seed(text, pointer, captures, limits)
  seed("items", choose(pointer, captures, limits or 0, 0, #text % 256), text)
end

for i, text in ipairs(edges) do
  json_seed(text)
  list_seed(text, 0, 0)
  list_seed(("[{%s}]"):format(('"k":%s,"n\\u006bme":[%s]'):format(text, text)), 0, 0, i % 64)
  list_seed(('{"data2":%s,"data":[{"a":{"b":%s}},{"id":%s}],"next":%s}'):format(text, text, text, text), 1, 3, i % 64)
  seed("pointer", "/a/1\n", ('{"a":[0,%s]}'):format(text))
end
for _, depth in ipairs(deep) do
  local text = ("["):rep(depth) .. ("]"):rep(depth)
  json_seed(text)
  seed("json", choose(depth, 0, 2), text)
  list_seed('[{"a":' .. text .. "}]", 0, 0)
  list_seed('[{"a":' .. ('{"a":'):rep(depth) .. "1" .. ("}"):rep(depth) .. "}]", 0, 0)
end

-- Objects of as many fields as the quick way takes, and of one more; a long name; a long string.
for _, count in ipairs { 63, 64, 65 } do
  local fields = {}
  for i = 1, count do
    fields[i] = ('"f%d":%d'):format(i, i)
  end
  list_seed("[{" .. table.concat(fields, ",") .. "},{}]", 0, 0)
end
for _, length in ipairs { 15, 16, 17, 254, 255, 256, 300 } do
  list_seed(('[{"%s":"%s"}]'):format(("k"):rep(length), ("v"):rep(length)), 0, 0)
end

-- Pointers that the input brings itself, with a capture.
seed("items", choose(200, 0, 0, 0, 7), "/a~1b/~0\n/x\n", '{"a/b":{"~":[{"id":1}]},"x":1}')
seed("items", choose(200, 1, 0, 0, 7), "/a\n/a/0/id\n", '{"a":[{"id":1}],"next":"t"}')
seed("items", choose(200, 0, 0, 0, 7), "a\n/~2\n", "[]")

local pointers = { "", "/", "/a", "/a/b/0/c", "/a~1b/m~0n", "/~", "/~2", "/0/00", "x", ("/a"):rep(16), ("/a"):rep(17) }
for _, pointer in ipairs(pointers) do
  for _, text in ipairs { '{"a":{"b":[{"c":1}],"b":[{"c":2}]},"a/b":{"m~n":"\\u00e9"},"":0}', "[[1,2],[3]]", '"x"' } do
    seed("pointer", pointer, "\n", text)
  end
end
local dozen = "[0,1,2,3,4,5,6,7,8,9,10,11]"
for _, index in ipairs { "9", "10", "11", "12", "010" } do
  seed("pointer", "/", index, "\n", dozen)
  seed("items", choose(200, 0, 0, 0, 7), "/1\n/0/", index, "\n[", dozen, ",[{}]]")
end

local generator = documents.new(4711)
for i = 1, 24 do
  local text, pointer = generator:document(generator:users(3))
  json_seed(text)
  local number = ({ [""] = 0, ["/data"] = 1, ["/1/list"] = 3, ["/a/b~1c"] = 4 })[pointer]
  list_seed(text, number, i % 2 == 0 and 2 or 0)
  seed("pointer", i % 2 == 0 and "/a/b~1c/0/n\\u0061me" or "/data/1/name", "\n", text)
end

local _, tesouro = data.tesouro.users { status = "ALL" }
local _, dintero = data.dintero.users(data.dintero.accounts[1].id, {})
for i = 1, 4 do
  local page = ('{"data":[%s,%s],"nextPaginationToken":"t"}'):format(tesouro[i * 7], tesouro[i * 11])
  json_seed(page)
  list_seed(page, 1, 0)
  list_seed("[" .. dintero[1] .. "," .. dintero[i] .. "]", 0, 0)
  seed("pointer", "/data/1/organizationId\n", page)
end

-- Delivery: how many hashes are kept, the users without an id, then bodies of three bytes.
for _, most in ipairs { 0, 8, 31 } do
  for _, saved in ipairs { 0, 4, 12 } do
    seed("delivery", choose(most, 0, 1, 2, saved, 0, 3, saved, 0, 7, saved, 0, 99)) -- repeats itself
    for how = 1, 3 do -- one comes, goes, or moves: before what was given, in it, behind it
      for _, where in ipairs { 0, 4, 9 } do
        seed("delivery", choose(most, 0, 0, 0, saved, 0, 6, how + saved, where, 8, saved, 0, 99))
      end
    end
  end
end

-- HTTP: flags, limits, seed, and the bytes of the answer.
local GZIP = "\31\139\8\0\0\0\0\0\2\3\139\174\86\202\76\81\178\50\172\141\5\0\114\78\158\41\10\0\0\0"
local answers = {
  'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n[{"id":1}]',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: a\r\n\r\n4\r\n[{"i\r\n6;x\r\nd":1}]\r\n0\r\na: b\r\n\r\n',
  "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: " .. #GZIP .. "\r\n\r\n" .. GZIP,
  "HTTP/1.1 200 OK\r\nContent-Encoding: deflate\r\n\r\n\120\156\3\0",
  'HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nConnection: close\r\n\r\n\11\2\128[{}]\3',
  'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\na: 1\r\nA:2 \r\nContent-Length: 4\r\n\r\n[{}]',
  "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\nPRI",
  'HTTP/1.0 200 OK\n\n[{"id":1}]',
  'HTTP/1.1 503 Unavailable\r\nRetry-After: 1\r\nContent-Length: 14\r\n\r\n{"message":""}',
  "HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n",
  "HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 304 Not Modified\r\n\r\n", "HTTP/2 200\r\n\r\n", "HTTP/1.1 200\r\n\r\n",
  "HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=x\r\nContent-Length: 2\r\n\r\n{}",
  "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n[{}]  ",
  "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n[{}]\r\n0\r\n\r\n",
  "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n[]",
  "HTTP/1.1 200 OK\r\na: b\r\n  folded\r\n\tmore\r\nbad line\r\n: empty\r\n\r\n[]",
  "HTTP/1.1 200 OK\r\n folded: 1\r\n\r\n[]",
  "HTTP/1.1 200 OK\r\nLink: <http://127.0.0.1/?p=2>; rel=\"next\"\r\n" .. ("X: y\r\n"):rep(40) .. "\r\n[]",
  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFFF\r\n[]", "HTTP/1.1 200 OK\r\nX: \0\r\n\r\n[]",
  "", "\r\n\r\n", "HTTP/1.1", "ICY 200 OK\r\n\r\n[]", "HTTP/1.1 999 x\r\n\r\n", "HTTP/1.1 000 x\r\n\r\n",
  "SSH-2.0-x\r\n",
}
for i, answer in ipairs(answers) do
  for _, flags in ipairs { 0, 1, 17, 21, 2, 8, 20 } do
    seed("http", choose(flags, flags == 20 and i or 0, i), answer)
  end
end
-- More bytes behind the last one that the limit of one byte allows.
seed("http", choose(1, 3, 0), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n[\r\n1\r\n]\r\n0\r\n\r\n")
