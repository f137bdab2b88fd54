-- The people: names in many scripts, names that are hard on parsers, and e-mail addresses.

local names = {}

-- Characters that an editor would not show.
local NUL, LINE_SEPARATOR, ZERO_WIDTH_JOINER, RIGHT_TO_LEFT = "\0", "\226\128\168", "\226\128\141", "\226\128\143"

local scripts = {
  { { "Ada", "John", "Mary", "Grace", "Alan", "Edsger", "Barbara", "Ken", "Roberta", "Lea" },
    { "Doe", "Smith", "Lovelace", "Hopper", "Turing", "Liskov", "Thompson", "Ierusalimschy", "O'Brien", "dela Cruz" } },
  { { "Åsa", "Søren", "Zoë", "François", "José", "Łukasz", "Šárka", "Gülşen", "Þórður", "Ștefan" },
    { "Åkerlund", "Ærø", "Müller-Lüdenscheidt", "Peña", "Nguyễn", "Dvořák", "Ünal", "Ibáñez", "Straße", "Żółć" } },
  { { "Анна", "Олексій", "Светлана", "Ђорђе", "Өлзий", "Всеволод" },
    { "Иванова", "Шевченко", "Щукин", "Јовановић", "Қайратова", "Ёлкин" } },
  { { "Ελένη", "Γιώργος", "Χρήστος", "Ζωή" }, { "Παπαδοπούλου", "Αγγελόπουλος", "Ξενάκης", "Ψαράς" } },
  { { "محمد", "فاطمة", "عائشة", "یاسمین" }, { "الخوارزمي", "بن علي", "السيد", "گلستانی" } },
  { { "יעל", "נועם", "שִׁירָה", "דוד" }, { "כהן", "לוי", "בן־גוריון", "מזרחי" } },
  { { "伟", "秀英", "敏", "麗華" }, { "王", "李", "歐陽", "𠮷田" } },
  { { "さくら", "ハルト", "ゆい", "ケンジ" }, { "たなか", "スズキ", "佐藤", "ヴァンダム" } },
  { { "민준", "서연", "지우", "하은" }, { "김", "이", "박", "남궁" } },
  { { "अर्जुन", "प्रिया", "श्रीकांत", "लक्ष्मी" }, { "शर्मा", "सिंह", "कृष्णमूर्ति", "अग्रवाल" } },
  { { "สมชาย", "กุลธิดา", "ณัฐพล", "พรทิพย์" }, { "ใจดี", "ศรีสุข", "วงศ์สวัสดิ์", "แก้วมณี" } },
  { { "😀", "🦊 Fox", "👩" .. ZERO_WIDTH_JOINER .. "💻", "Zoë 🇳🇴" }, { "Rocket 🚀", "𝔐𝔞𝔱𝔥", "🏴‍☠️", "Kısa ☕" } },
}

-- Each directory begins with these, so that even a short walk meets them.
names.hard = {
  "John Doe",
  'The "Quoted" Person',
  "Back\\slash and \\u0041 that is no escape",
  "path/to/user </script>",
  "Line\nbreak\r\nand\ttab",
  "Bell\7, backspace\8, form feed\12, escape\27, unit separator\31",
  "NUL" .. NUL .. "inside",
  "Delete\127 needs no escape",
  "Separator" .. LINE_SEPARATOR .. "of lines",
  RIGHT_TO_LEFT .. "right to left",
  "",
  " leading and trailing ",
  '","nextPaginationToken":"trap',
  '}],"data":[{"id":"trap"}]',
  "null",
  "[]{}:,",
  "\\",
  '"',
  '\\"',
  "ends with backslash \\",
  "𝄞 and 😀 beyond the first plane, \239\191\191 at its end",
  "e\204\129 combining, é composed",
  ("long name "):rep(40) .. "end",
  ("長"):rep(300),
}

function names.person(generator)
  local script = generator:pick(scripts)
  local first, last = generator:pick(script[1]), generator:pick(script[2])
  if generator:chance(3) then return first .. ' "' .. generator:pick(script[1]) .. '" ' .. last end
  if generator:chance(3) then return first .. " / " .. last end
  if generator:chance(2) then return last .. "\\" .. first end
  return first .. " " .. last
end

local adjectives = { "amber", "brave", "calm", "deft", "eager", "fond", "glad", "keen", "lucid", "merry", "noble" }
local animals = { "ant", "bear", "crane", "dove", "elk", "fox", "gull", "hare", "ibis", "jay", "lynx", "moose", "newt" }

-- An address that no other user has, because it contains the user's number.
function names.email(generator, number, domain)
  local adjective, animal = generator:pick(adjectives), generator:pick(animals)
  local kind = generator:int(100)
  if kind <= 4 then return string.format("%s+%s/%d@%s", adjective, animal, number, domain) end
  if kind <= 8 then return string.format("%s.%s.%d@%s", adjective:upper(), animal, number, domain) end
  if kind <= 10 then return string.format("o'%s.%d@%s", animal, number, domain) end
  if kind <= 12 then return string.format("jürgen.%s.%d@bücher.example", animal, number) end
  if kind == 13 then return string.format('"%s %s"%d@%s', adjective, animal, number, domain) end
  return string.format("%s.%s.%d@%s", adjective, animal, number, domain)
end

return names
