local answer = require "rollcall.paging.answer"
local check = require "spec.support.check"
local cjson = require "cjson"
local core = require "rollcall.core"
local cursor = require "rollcall.paging.cursor"
local none = require "rollcall.paging.none"
local paging_types = require "rollcall.paging"
local redact = require "rollcall.http.redact"
local request = require "rollcall.http.request"
local rollcall = require "rollcall"

local PAGING = { type = "cursor", query = "after", next = "/next", previous = "/meta/previous", size = "limit",
  max_size = 50 }

local BASE = "https://api.acme.example/v2"

--- What a page said, read by a decoder from its body.
local function answered(kind, paging, body, position)
  local decoder = core.decoder { items = "/data", capture = kind.captures(paging), edges = kind.edges }
  assert(decoder:feed(body))
  assert(decoder:finish())
  return answer.new({ decoder = decoder, client = { redactor = redact.new() },
    spec = { url = BASE .. "/people?x=1" } }, position or {}, BASE, kind.captures(paging))
end

local function after(body, query, paging)
  return cursor.after(paging or PAGING, answered(cursor, paging or PAGING, body), query or {})
end

describe("every paging type", function()
  it("has what a walk calls", function()
    for name, kind in pairs(paging_types) do
      for _, entry in ipairs { "captures", "places", "goes_back", "first", "apply", "after", "show", "restore" } do
        assert.is_function(kind[entry], name .. "." .. entry)
      end
      assert.is_table(kind.schema, name)
    end
  end)
end)

describe("paging none", function()
  it("is one page without parameters", function()
    local one = request.new { paging = {} }
    none.apply({}, none.first({}, {}), one, {})
    assert.same({}, one.parameters)
    assert.is_nil(none.after({}, answered(none, {}, '{"data":[]}'), {}))
  end)
end)

describe("paging cursor", function()
  it("begins with the query's token, or none", function()
    assert.same({}, cursor.first(PAGING, {}))
    assert.same({ token = "t7" }, cursor.first(PAGING, { page_token = "t7" }))
  end)

  it("asks by its parameters", function()
    local function parameters(position, query, paging)
      local one = request.new { parameters = { Status = "ALL" }, paging = paging or PAGING }
      cursor.prepare(paging or PAGING, one, query)
      cursor.apply(paging or PAGING, position, one)
      return one.parameters
    end
    assert.same({ { "Status", "ALL" }, { "limit", "50" } }, parameters({}, { page_size = 50 }))
    assert.same({ { "Status", "ALL" }, { "limit", "7" }, { "after", "a/b+c==" } },
      parameters({ token = "a/b+c==" }, { page_size = 7 }))
    assert.same({ { "Status", "ALL" }, { "after", "x" } },
      parameters({ token = "x" }, { page_size = 7 }, { query = "after", next = "/next" }))
  end)

  it("goes on with the next token, backwards with the previous one", function()
    local body = '{"data":[],"next":"n","meta":{"previous":"p"}}'
    assert.same({ token = "n" }, after(body))
    assert.same({ token = "p" }, after(body, { direction = "backward" }))
  end)

  it("ends with null, nothing and an empty text", function()
    for _, ending in ipairs { ',"next":null', "", ',"next":""' } do
      local position, problem = after('{"data":[],"meta":{"previous":"p"}' .. ending .. "}")
      assert.is_nil(position)
      assert.is_nil(problem)
    end
    assert.is_nil((after('{"data":[],"next":"n"}', { direction = "backward" })))
  end)

  it("takes numbers as they are written", function()
    for _, number in ipairs { "12", "-7", "1234567890123456789012", "0", "1.50" } do
      assert.same({ token = number }, after('{"data":[],"next":' .. number .. "}"))
    end
  end)

  it("refuses what cannot be a token", function()
    local position, problem = after '{"data":[],"next":true}'
    assert.is_nil(position)
    check.contains(problem, "/next", "boolean")
  end)

  it("ends as the provider says, and calls anything else an error", function()
    local function ending(body, ends, final)
      return after(body, {}, { type = "cursor", query = "c", next = "/next", ends = ends, final = final })
    end
    local all = { null = '{"data":[{"id":1}],"next":null}', absent = '{"data":[{"id":1}]}',
      blank = '{"data":[{"id":1}],"next":""}' }
    for name in pairs(all) do
      for other, body in pairs(all) do
        for _, ends in ipairs { name, { name }, { name, "empty_page" } } do
          local position, problem = ending(body, ends)
          assert.is_nil(position)
          if name == other then
            assert.is_nil(problem)
          else
            check.contains(problem, "/next", other)
          end
        end
      end
    end
    assert.is_nil((ending('{"data":[],"next":"t"}', { "null", "empty_page" })))
    assert.same({ token = "t" }, ending('{"data":[],"next":"t"}', "null"))
    assert.is_nil((ending('{"data":[{"id":1}],"next":"0"}', nil, { "-1", "0" })))
    assert.is_nil((ending('{"data":[{"id":1}],"next":-1}', nil, { "-1", "0" })))
  end)

  it("goes by a flag, where there is one", function()
    local function flagged(body, query)
      return after(body, query, { type = "cursor", query = "c", next = "/next", more = "/more", previous = "/prev" })
    end
    assert.is_nil((flagged '{"data":[{"id":1}],"next":"t","more":false}'))
    assert.same({ token = "t" }, flagged '{"data":[],"next":"t","more":true}')
    assert.same({ token = "t" }, flagged '{"data":[],"next":"t"}')
    assert.same({ token = "p" }, flagged('{"data":[],"prev":"p","more":false}', { direction = "backward" }))
    local position, problem = flagged '{"data":[{"id":1}],"more":true}'
    assert.is_nil(position)
    check.contains(problem, "more")
    position, problem = flagged '{"data":[{"id":1}],"next":"t","more":"perhaps"}'
    assert.is_nil(position)
    check.contains(problem, "/more", "perhaps")
  end)
end)

describe("a walk by cursor", function()
  local server
  setup(function()
    server = require("spec.support.server").start()
  end)
  teardown(function()
    server:stop()
  end)

  local function client(options)
    local all = { token = "tok-7f3a", base_url = server.url, retry = false }
    for name, value in pairs(options or {}) do
      all[name] = value
    end
    return rollcall.client({
      name = "acme",
      base_url = { production = "https://api.acme.example" },
      users = { path = "/people", items = "/data", paging = PAGING,
        filters = { state = { query = "state" }, after_date = { query = "after_date" } } },
    }, all)
  end

  --- The ids of a walk over these bodies, and the queries that it sent.
  local function walk(bodies, query, options)
    local answers = {}
    for i, body in ipairs(bodies) do
      answers[i] = { body = body }
    end
    server:script { ["/people"] = answers }
    local users, err = client(options):users(query):collect()
    local ids, queries = {}, {}
    for i, user in ipairs(users or {}) do
      ids[i] = user.id
    end
    for i, asked in ipairs(server:requests "/people") do
      queries[i] = asked.query
    end
    return users and table.concat(ids, " "), queries, err
  end

  it("hands tokens back as they came, escaped for the URL", function()
    for _, token in ipairs { "a/b+c==", "ø &?#%25", "%41", "{\"x\":1}", "..", "0", " " } do
      local ids, queries = walk {
        cjson.encode { data = { { id = "1" } }, next = token },
        '{"data":[{"id":"2"}],"next":null}',
      }
      assert.equal("1 2", ids)
      assert.equal(2, #queries)
      local sent = queries[2]:match "^limit=50&after=(.*)$"
      assert.is_nil(sent:find "[^%w%-._~%%]")
      assert.equal(token, (sent:gsub("%%(%x%x)", function(digits) return string.char(tonumber(digits, 16)) end)))
    end
  end)

  it("takes tokens from wherever they stand, escaped or not", function()
    local ids = walk {
      '{"next":"a\\u002fb","data":[{"id":"1"}],"meta":{"previous":null}}',
      '{"meta":{"previous":"x","other":[{"next":"no"}]},"data":[{"id":"2","next":"no"}],"next":"c\\/d"}',
      '{"data":[{"id":"3"}]}',
    }
    assert.equal("1 2 3", ids)
    assert.equal("limit=50&after=a%2Fb", server:requests()[2].query)
    assert.equal("limit=50&after=c%2Fd", server:requests()[3].query)
  end)

  it("sends the same filters and size with every page", function()
    local _, queries = walk({ '{"data":[],"next":"t2"}', '{"data":[],"next":"t3"}', '{"data":[],"next":null}' },
      { state = "on", page_size = 7 })
    assert.same({ "state=on&limit=7", "state=on&limit=7&after=t2", "state=on&limit=7&after=t3" }, queries)
  end)

  it("does not end with an empty page", function()
    assert.equal("1", (walk { '{"data":[],"next":"t2"}', '{"data":[],"next":"t3"}',
      '{"data":[{"id":"1"}],"next":"t4"}', '{"data":[],"next":null}' }))
  end)

  it("ends without a token: null, absent or empty", function()
    for _, ending in ipairs { ',"next":null', "", ',"next":""' } do
      local ids, queries = walk { '{"data":[{"id":"1"}]' .. ending .. "}" }
      assert.equal("1", ids)
      assert.equal(1, #queries)
    end
  end)

  it("takes numbers as tokens", function()
    local _, queries = walk { '{"data":[],"next":42}', '{"data":[],"next":9007199254740991}', '{"data":[],"next":1.5}',
      '{"data":[],"next":null}' }
    assert.equal("limit=50&after=42", queries[2])
    assert.equal("limit=50&after=9007199254740991", queries[3])
    assert.equal("limit=50&after=1.5", queries[4])
  end)

  it("never sends a number that it had to round", function()
    for _, number in ipairs { "9007199254740993", "123456789012345678901234567890" } do
      local ids, queries, err = walk { '{"data":[{"id":"1"}],"next":' .. number .. "}", '{"data":[],"next":null}' }
      if ids then
        assert.equal("limit=50&after=" .. number, queries[2])
      else
        check.failure(err, "decode")
        assert.equal(1, #queries)
      end
    end
  end)

  it("refuses a token that is none, after the users of its page", function()
    for _, token in ipairs { "true", "{}", "[1]" } do
      server:script { ["/people"] = { { body = '{"data":[{"id":"1"},{"id":"2"}],"next":' .. token .. "}" } } }
      local users = client():users()
      assert.equal("1", users:next().id)
      assert.equal("2", users:next().id)
      local user, err = users:next()
      assert.is_nil(user)
      check.failure(err, "decode")
      check.contains(tostring(err), "/next")
    end
  end)

  it("refuses a body with two tokens", function()
    local ids, _, err = walk { '{"data":[{"id":"1"}],"next":"a","next":"b"}' }
    assert.is_nil(ids)
    check.failure(err, "decode")
  end)

  it("sends parameters by the names that the client is told", function()
    local _, queries = walk({ '{"data":[],"next":"t2"}', '{"data":[],"next":null}' }, { state = "on" },
      { query_names = { after = "pagination_token", state = "State", limit = "page[size]" } })
    assert.same({ "State=on&page%5Bsize%5D=50", "State=on&page%5Bsize%5D=50&pagination_token=t2" }, queries)
  end)

  it("never sends a token elsewhere than in its parameter", function()
    local _, queries = walk { '{"data":[],"next":"x&state=off"}', '{"data":[],"next":null}' }
    assert.equal("limit=50&after=x%26state%3Doff", queries[2])
  end)

  it("goes backwards by the previous tokens, users reversed", function()
    local ids, queries = walk({
      '{"data":[{"id":"5"},{"id":"6"}],"next":"t4","meta":{"previous":"t2"}}',
      '{"data":[],"next":"t3","meta":{"previous":"t1"}}',
      '{"data":[{"id":"1"},{"id":"2"},{"id":"3"}],"next":"t2","meta":{"previous":null}}',
    }, { direction = "backward", page_token = "t3" })
    assert.equal("6 5 3 2 1", ids)
    assert.same({ "limit=50&after=t3", "limit=50&after=t2", "limit=50&after=t1" }, queries)
  end)
end)

describe("a token that is JSON", function()
  local server
  setup(function()
    server = require("spec.support.server").start()
  end)
  teardown(function()
    server:stop()
  end)

  local CURSOR = { type = "cursor", body = "/page/after", next = "/next", previous = "/previous", token = "json",
    final = { "-1", "end" }, size = { body = "/page/size" }, max_size = 2 }
  local AFTER = { type = "after", body = "/after", item = { "/sort", "/id" }, before = { body = "/before" },
    token = "json" }
  local TOKENS = { "12345678901234567890", '{"a":[1.50,{"b":"\\u0041\\/"}] , "c":null}', '[1,"x"]', '"x"', "0", "[]" }

  local function client(paging)
    return rollcall.client({
      name = "acme",
      base_url = { production = "https://api.acme.example" },
      users = { path = "/people", method = "POST", body = { kind = "person" }, items = "/data", paging = paging },
    }, { token = "tok-7f3a", base_url = server.url, retry = false })
  end

  --- The ids of a walk over these bodies, the tokens that it sent as they stand in the requests, and the stream.
  local function walk(paging, bodies, query)
    local answers = {}
    for i, body in ipairs(bodies) do
      answers[i] = { body = body }
    end
    server:script { ["/people"] = answers }
    local stream = client(paging):users(query)
    local ids, sent = {}, {}
    local user, err = stream:next()
    while user do
      ids[#ids + 1] = user.id
      user, err = stream:next()
    end
    for i, asked in ipairs(server:requests "/people") do
      assert.equal("person", cjson.decode(asked.body).kind)
      sent[i] = asked.body:match '"after":(.*),"size":2}' or asked.body:match '"after":(.*),"kind"'
        or asked.body:match '"before":(.*),"kind"' or "none"
    end
    return table.concat(ids, " "), sent, err, stream
  end

  local function pages(source)
    local bodies, expected = {}, { "none" }
    for i, token in ipairs(TOKENS) do
      bodies[i] = source:format(i, token)
      expected[i + 1] = token
    end
    return bodies, expected
  end

  it("goes back into the body as it came: a number, an object, a list, a text", function()
    local bodies, expected = pages '{"data":[{"id":%d}],"next":%s}'
    bodies[#bodies + 1] = '{"data":[{"id":7}],"next":null}'
    local ids, sent, err = walk(CURSOR, bodies)
    assert.is_nil(err)
    assert.equal("1 2 3 4 5 6 7", ids)
    assert.same(expected, sent)
  end)

  it("is the last item's, too", function()
    local bodies, expected = pages '{"data":[{"id":"u%d","sort":%s}]}'
    bodies[#bodies + 1] = '{"data":[{"id":"u7"}]}'
    expected[#expected + 1] = '"u7"'
    bodies[#bodies + 1] = '{"data":[]}'
    local ids, sent, err = walk(AFTER, bodies)
    assert.is_nil(err)
    assert.equal("u1 u2 u3 u4 u5 u6 u7", ids)
    assert.same(expected, sent)
  end)

  it("goes backwards by the first item's", function()
    local ids, sent, err = walk(AFTER, { '{"data":[{"id":"u3","sort":[3]},{"id":"u4","sort":[4]}]}',
      '{"data":[{"id":"u1","sort":[1.0]},{"id":"u2","sort":[2]}]}', '{"data":[]}' },
      { direction = "backward", page_token = "[2]" })
    assert.is_nil(err)
    assert.equal("u4 u3 u2 u1", ids)
    assert.same({ "[2]", "[3]", "[1.0]" }, sent)
  end)

  it("of an empty page leads nowhere back, which is an error and not the end", function()
    local ids, _, err = walk(AFTER, { '{"data":[]}' }, { direction = "backward", page_token = "[4]" })
    assert.equal("", ids)
    check.failure(err, "decode")
    check.contains(err.message, "empty")
  end)

  it("ends as others do", function()
    for _, ending in ipairs { ',"next":null', "", ',"next":""', ',"next":-1', ',"next":"end"' } do
      local ids, sent, err = walk(CURSOR, { '{"data":[{"id":1}]' .. ending .. "}" })
      assert.is_nil(err)
      assert.equal("1", ids)
      assert.equal(1, #sent)
    end
    local _, _, err = walk(CURSOR, { '{"data":[{"id":1}],"next":true}' })
    check.failure(err, "decode")
    check.contains(err.message, "/next", "boolean")
  end)

  it("that comes again is a loop", function()
    local _, _, err = walk(CURSOR, { '{"data":[{"id":1}],"next":[1]}', '{"data":[{"id":2}],"next":[2]}',
      '{"data":[{"id":3}],"next":[1]}' })
    check.failure(err, "loop")
  end)

  it("stands in checkpoints, and is what page_token takes", function()
    local tokens = { '{\n  "a": [1,\r\n\t2]\n}' }
    for i, token in ipairs(TOKENS) do
      tokens[i + 1] = token
    end
    for _, token in ipairs(tokens) do
      local bodies = { ('{"data":[{"id":1}],"next":%s}'):format(token), '{"data":[{"id":2},{"id":3}],"next":null}' }
      local _, _, err, stream = walk(CURSOR, bodies, { limit = 2 })
      assert.is_nil(err)
      local ids, sent
      ids, sent, err = walk(CURSOR, { bodies[2] }, { resume = stream:checkpoint() })
      assert.is_nil(err)
      assert.equal("3", ids)
      assert.same({ token }, sent)
      ids, sent = walk(CURSOR, { bodies[2] }, { page_token = token })
      assert.equal("2 3", ids)
      assert.same({ token }, sent)
    end
    for _, text in ipairs { "x", "", "[1", '1,"kind":2', '1},"x":{"y":1', "nan", "0x1F", " 1" } do
      check.misuse(function() client(CURSOR):users { page_token = text } end, "page_token")
      check.misuse(function() client(AFTER):users { page_token = text } end, "page_token")
    end
  end)

  it("of a checkpoint is checked as well", function()
    local bodies = { '{"data":[{"id":1}],"next":[7]}', '{"data":[{"id":2}],"next":null}' }
    local _, _, _, stream = walk(CURSOR, bodies, { limit = 2 })
    local saved = stream:checkpoint()
    for _, text in ipairs { "[1", '1,"kind":2', "x" } do
      local changed = cjson.decode(saved)
      changed.position.token = text
      check.misuse(function() client(CURSOR):users { resume = cjson.encode(changed) } end, "resume: ")
    end
  end)

  it("name no page where they are what ends a walk, or flags", function()
    for _, text in ipairs { "null", '""', "true", "false" } do
      check.misuse(function() client(CURSOR):users { page_token = text } end, "page_token: ")
    end
    local ids, sent = walk(AFTER, { '{"data":[{"id":"a","sort":null},{"id":"b"}]}', '{"data":[]}' })
    assert.equal("a b", ids)
    assert.equal('"b"', sent[2])
  end)

  it("may be as deep as a page", function()
    local deep = ("["):rep(600) .. ("]"):rep(600)
    server:script { ["/people"] = { { body = ('{"data":[{"id":"a"}],"next":%s}'):format(deep) },
      { body = '{"data":[{"id":"b"},{"id":"c"}],"next":null}' } } }
    local function walked(query)
      return rollcall.client({
        name = "acme",
        base_url = { production = "https://api.acme.example" },
        users = { path = "/people", method = "POST", items = "/data", paging = CURSOR },
      }, { token = "tok-7f3a", base_url = server.url, retry = false, max_depth = 2000 }):users(query)
    end
    local first = walked()
    assert(first:next())
    assert.equal("b", assert(first:next()).id)
    assert.equal(1, assert(walked { resume = first:checkpoint() }:count()))
  end)
end)
