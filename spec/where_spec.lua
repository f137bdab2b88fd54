local check = require "spec.support.check"
local rollcall = require "rollcall"
local where = require "rollcall.where"

local NOW = rollcall.time.parse "2026-01-01T00:00:00Z"

local user = {
  email = "Jane.Doe@Example.com", name = "Åse \"the\" Doe", status = "ACTIVE", age = 41, mfa = false,
  last_seen_at = "2025-12-01T10:00:00Z", created_at = "2020-05-05T23:30:00-02:00", role_names = { "Admin", "Økonomi" },
  department = { name = "R&D", size = 7 }, nothing = rollcall.null, empty = "", none = {}, number = "10",
}

local function holds(expression, of)
  return where.all(expression, { now = NOW })(of or user)
end

local function check_all(expected, list)
  for _, expression in ipairs(list) do
    assert.equal(expected, holds(expression), expression)
  end
end

describe("where", function()
  it("compares for equality", function()
    check_all(true, { "status=ACTIVE", "status = ACTIVE ", 'status="ACTIVE"', "age=41", "age=41.0", "mfa=false",
      "role_names=Admin", "department.name=R&D", "/department/size=7", "status!=INVITED", "absent!=x", "nothing!=x",
      "role_names!=admin", 'name=Åse "the" Doe' })
    check_all(false, { "status=active", "status=", "age=42", "mfa=true", "role_names=admin", "absent=x", "nothing=x",
      "status!=ACTIVE", "role_names!=Admin", "age=forty" })
  end)

  it("asks for presence by an empty value", function()
    check_all(true, { "absent=", "nothing=", "empty=", "none=", "status!=", "mfa!=", "role_names!=", "department!=" })
    check_all(false, { "status=", "mfa=", "absent!=", "empty!=", "none!=", "age=" })
  end)

  it("contains, capital or small", function()
    check_all(true, { "email~jane.DOE", "name~åse", "role_names~ADM", "role_names~ØKO", "age~4", "email!~smith",
      "absent!~x" })
    check_all(false, { "email~j.ne", "email~smith", "absent~x", "nothing~null", "email!~jane", "department~R",
      "mfa~false" })
  end)

  it("orders numbers, texts and times", function()
    check_all(true, { "age<42", "age>40.5", "age<=41", "age>=41", "status<B", "status>A", "last_seen_at<30d",
      "last_seen_at>31d", "last_seen_at<2025-12-02", "last_seen_at>2025-12-01", "last_seen_at>=2025-12-01T10:00:00Z",
      "created_at>2020-05-06", "created_at<2020-05-06T02:00:00Z", "number<9" })
    check_all(false, { "age<41", "age>41", "age<old", "status<A", "last_seen_at>30d", "last_seen_at<31d",
      "last_seen_at>2025-12-02", "mfa<1", "role_names<Z", "status<30d", "department>1", 'status=">ACTIVE"' })
    assert.is_true(holds('sign="=="', { sign = "==" }))
  end)

  it("takes a date alone for the whole day", function()
    check_all(true, { "last_seen_at=2025-12-01", "created_at=2020-05-06", "created_at!=2020-05-05",
      "last_seen_at=2025-12-01T12:00:00+02:00" })
    check_all(false, { "last_seen_at=2025-12-02", "created_at=2020-05-05", "last_seen_at=2025-11-30",
      "last_seen_at=2025-12-01T10:00:01Z" })
    local midnight = { created_at = "2025-12-02T00:00:00Z" }
    assert.is_true(holds("created_at=2025-12-02", midnight))
    assert.is_false(holds("created_at=2025-12-01", midnight))
  end)

  it("takes who was never seen for longer ago than anything, and of other fields knows nothing", function()
    assert.is_true(holds("last_seen_at<90d", {}))
    assert.is_true(holds("last_seen_at<=1970-01-01", { last_seen_at = rollcall.null }))
    assert.is_false(holds("last_seen_at>90d", {}))
    assert.is_false(holds("deleted_at<90d", {}))
    assert.is_false(holds("deleted_at>90d", {}))
  end)

  it("counts back from now", function()
    local seen = { last_seen_at = rollcall.time.format(os.time() - 100) }
    assert.is_true(rollcall.where "last_seen_at>1h"(seen))
    assert.is_true(rollcall.where "last_seen_at<1m"(seen))
  end)

  it("takes several, of which all hold", function()
    assert.is_true(holds { "status=ACTIVE", "age>40" })
    assert.is_false(holds { "status=ACTIVE", "age>50" })
    assert.is_true(holds {})
  end)

  it("raises, naming what is wrong", function()
    for expression, part in pairs { [""] = "expected FIELD", status = "expected FIELD", ["=x"] = "expected FIELD",
      ["status!x"] = "expected FIELD", ["a..b=1"] = "no field's name",
      [("/a"):rep(17) .. "=1"] = "no field's name (at most 16 steps)", ["age<"] = "expected a value",
      ["email~"] = "expected a value behind ~", ['email!~""'] = "expected a value behind !~",
      ["status==ACTIVE"] = "; did you mean status=ACTIVE?", ["status!==ACTIVE"] = "; did you mean status!=ACTIVE?",
      ["status==A==B"] = "; did you mean status=A==B?",
      ["status=>ACTIVE"] = "expected FIELD", ["mfa==false"] = "expected FIELD", ["age>~4"] = "expected FIELD",
      ["last_seen_at<90x"] = '"90x" is no time; expected RFC 3339, a date', ["created_at<banana"] = "is no time",
      ["deleted_at>=2025-13-01"] = "is no time", ["updated_at>-5d"] = "is no time",
      ["/createdDateTime<soon"] = "is no time", ["lastLoggedInDateTime>1"] = "is no time" } do
      check.misuse(function()
        return (rollcall.where(expression))
      end, part)
      check.misuse(function()
        return (rollcall.where { "status=ACTIVE", expression })
      end, part)
    end
    for _, value in ipairs { 5, true } do
      check.misuse(function()
        return (rollcall.where(value))
      end, "expected an expression")
      check.misuse(function()
        return (rollcall.where { value })
      end, "got a " .. type(value))
    end
  end)

  it("takes a pointer with escapes, and numbers as JSON writes them", function()
    local function is_so(expression, one)
      return rollcall.where(expression)(one)
    end
    assert.is_true(is_so("/x~1y=1", { ["x/y"] = 1 }))
    assert.is_true(is_so("/x~0y~1z~b", { ["x~y/z"] = "abc" }))
    assert.is_true(is_so("/x~abc", { x = "xabcx" }))
    assert.is_true(is_so('/x~"1b"', { x = "a1b" }))
    assert.is_true(is_so("x~1b", { x = "a1b" }))
    for _, text in ipairs { "0b11", "0x3", "inf", "nan", "infinity" } do
      assert.is_false(is_so("n=" .. text, { n = 3 }), text)
      assert.is_false(is_so("n<=" .. text, { n = 3 }), text)
    end
    for _, text in ipairs { "3", "3.0", "+3", "30e-1", "03" } do
      assert.is_true(is_so("n=" .. text, { n = 3 }), text)
    end
    assert.is_true(is_so("n>-.5", { n = 3 }))
  end)

  it("takes a list and the time, and nothing else", function()
    check.misuse(function() rollcall.where { status = "ACTIVE" } end, "expected an expression", "list")
    check.misuse(function() rollcall.where("status=ACTIVE", { now = "x" }) end, "now: expected number")
    check.misuse(function() rollcall.where("status=ACTIVE", 5) end, "expected table, got 5")
  end)

  it("raises where it is asked about no user", function()
    local is_active, line, rows = rollcall.where "status=ACTIVE", rollcall.ndjson { "id" }, rollcall.csv { "id" }
    for _, value in ipairs { false, 5, "x" } do
      check.misuse(function() return (is_active(value)) end, "where: expected a user, got a " .. type(value))
      check.misuse(function() return (line(value)) end, "ndjson: expected a user, got a " .. type(value))
      check.misuse(function() return (rows:row(value)) end, "csv: expected a user, got a " .. type(value))
    end
  end)
end)
