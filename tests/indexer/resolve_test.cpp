// What a name means. Texts carry marks: «=a» before the name of a definition, «?a» before a use
// that means it.
#include <gtest/gtest.h>

#include <map>

#include "indexer/index.h"
#include "temp_repo.h"

namespace ambit::indexer {
namespace {

struct Place {
  std::string path;
  std::uint32_t offset = 0;
};
struct Marked {
  std::map<std::string, Place> definitions;
  std::vector<std::pair<std::string, Place>> uses;
};

void write_marked(const TempRepo& repo, const std::string& path, std::string text, Marked& out) {
  static const std::string kOpen = "«", kClose = "»";
  for (auto at = text.find(kOpen); at != std::string::npos; at = text.find(kOpen, at)) {
    const auto end = text.find(kClose, at);
    const auto mark = text.substr(at + kOpen.size(), end - at - kOpen.size());
    text.erase(at, end + kClose.size() - at);
    const Place place{path, static_cast<std::uint32_t>(at)};
    if (mark[0] == '=') {
      out.definitions[mark.substr(1)] = place;
    } else {
      out.uses.emplace_back(mark.substr(1), place);
    }
  }
  repo.write(path, text);
}

void expect_meanings(const std::map<std::string, std::string>& files) {
  TempRepo repo;
  Marked marked;
  for (const auto& [path, text] : files) write_marked(repo, path, text, marked);
  repo.commit("one");
  auto index = RepoIndex::open(repo.path(), {});
  ASSERT_TRUE(index) << index.error().message;
  ASSERT_TRUE((*index)->update());
  const auto snapshot = (*index)->snapshot();
  ASSERT_FALSE(marked.uses.empty());
  for (const auto& [id, use] : marked.uses) {
    ASSERT_TRUE(marked.definitions.contains(id)) << id;
    const auto& wanted = marked.definitions[id];
    const auto found = snapshot->resolve(use.path, use.offset);
    ASSERT_FALSE(found.empty()) << id << " in " << use.path;
    EXPECT_EQ(found[0].symbol.path, wanted.path) << id;
    EXPECT_EQ(found[0].symbol.name_span.begin, wanted.offset)
        << id << ": " << found[0].symbol.signature;
  }
}

TEST(Resolve, GoTypesOfReceiversAndKeysOfLiterals) {
  expect_meanings({{"go.mod", "module example.org/x\n"},
                   {"x/router.go", R"(package x

import "example.org/x/util"

type Routes interface {
  Get(path string) Routes
  Use() Routes
}

type Group struct {
  «=prefix»prefix string
}

func (g *Group) «=Get»Get(path string) *Group { return g }

type Router struct {
  Group
  *util.«=embedded»Config
  «=routes»routes []*Route
  byName map[string]Route
}

type Route struct {
  «=path»path string
  prefix int
}

func (r *Router) Use() *Route { return nil }
func (r *Route) «=Use»Use() *Route { return r }
func (r *Route) «=Name»Name() string { return r.path }
func (c *Group) Name() string { return "" }

func «=NewRouter»NewRouter() *Router { return &Router{} }
)"},
                   {"x/util/config.go", R"(package util

type Config struct{ Path string }

func «=Path»Path() string { return "" }
func «=NewRoute»NewRoute() *Other { return nil }

type Other struct{}

func (o *Other) «=otherName»Name() string { return "" }
)"},
                   {"x/use.go", R"(package x

import "example.org/x/util"

func f(v any, a, b *Route) {
  router := «?NewRouter»NewRouter()
  router.«?Get»Get("/{").«?prefix»prefix = "}"
  router.Use().«?Use»Use()
  _ = router.«?embedded»Config
  for _, one := range router.«?routes»routes {
    one.«?Name»Name()
  }
  for name, one := range router.byName {
    one.«?Name»Name()
    print(name)
  }
  new(Route).«?Name»Name()
  v.(*Route).«?Name»Name()
  made := make([]*Route, 2)
  made[0].«?Name»Name()
  a.«?Name»Name()
  util.«?Path»Path()
  util.«?NewRoute»NewRoute().«?otherName»Name()
  path := "a"
  _ = []Route{{«?path»path: path, prefix: 1}, {prefix: 2, «?path»path: "{"}}
  _ = map[string]*Group{"a": {«?prefix»prefix: path}}
  cases := []struct {
    «=want»want, got string
    path      string
  }{
    {"a", "b", "c"},
    {«?want»want: "a"},
  }
  for _, c := range cases {
    print(c.«?want»want)
  }
}
)"}});
}

TEST(Resolve, JavaOverloadsByTheirArguments) {
  expect_meanings({{"a/Writer.java", R"(package a;
public class Writer {
  public Writer «=bool»value(boolean v) { return this; }
  public Writer «=text»value(String v) { return this; }
  public Writer «=long»value(long v) { return this; }
  public Writer «=two»value(String name, Object v) { return this; }
  public Writer «=many»all(String... names) { return this; }
  public void «=cls»put(Class<?> c) {}
  public void «=thr»put(Throwable t) {}
}
)"},
                   {"b/Use.java", R"(package b;
import a.Writer;
class Use {
  private final Writer out = null;
  void f(long count, Object other) {
    out.«?text»value("x");
    out.«?bool»value(count > 1);
    out.«?long»value(count);
    out.«?long»value(3);
    out.«?two»value("x", other);
    out.«?text»value(other == null ? null : other + "!");
    out.«?many»all("a", "b", "c");
    out.«?cls»put(String.class);
    try { f(1, 2); } catch (java.io.IOException e) { out.«?thr»put(e); }
  }
}
)"}});
}

TEST(Resolve, JavaConstructorsAndTheirClass) {
  expect_meanings({{"a/Base.java", R"(package a;
public class «=Base»Base {
  public «=one»Base(int v) {}
  public «=other»Base(String v) { «?one»this(1); }
  static «?Base»Base make() { return new «?one»Base(2); }
  public static class «=Inner»Inner { «=innermade»Inner(int a) {} }
}
)"},
                   {"b/Use.java", R"(package b;
import a.«?Base»Base;
class Use extends «?Base»Base {
  Use() { «?other»super("x"); }
  Object a = new «?other»Base("y");
  Object b = new Base.«?innermade»Inner(3);
}
)"}});
}

TEST(Resolve, JavaMembersComeFromTheClassItsBasesAndCasts) {
  expect_meanings({{"a/One.java", R"(package a;
public interface One { class Factory { int «=onehelp»help(int a) { return a; } } }
)"},
                   {"a/Two.java", R"(package a;
public interface Two { class Factory { int «=twohelp»help(int a) { return a; } } }
)"},
                   {"a/Get.java", "package a;\npublic @interface Get { String «=get»value(); }\n"},
                   {"a/Put.java", "package a;\npublic @interface Put { String «=put»value(); }\n"},
                   {"a/Reader.java",
                    "package a;\npublic class Reader { public int «=read»read(int a) "
                    "{ return a; } }\n"},
                   {"a/Use.java", R"(package a;
class Use extends Two.Factory {
  private Reader in;
  int read(int a) { return in.«?read»read(a) + «?twohelp»help(a); }
  String f(Object o) { return ((Put) o).«?put»value() + ((Get) o).«?get»value(); }
}
class Other extends One.Factory {
  int g() { return «?onehelp»help(1); }
}
)"}});
}

TEST(Resolve, CLocalsThatAMacroDeclaresAndConstantsThatOneMakes) {
  expect_meanings({{"ops.h", "OP(«=load»LOAD, 1)\nOP(«=store»STORE, 2)\n"},
                   {"s.h", "struct s { int entry; int path; };\n"},
                   {"use.c", R"(#include "s.h"
int run(int op) {
  list_for_each(«=entry»entry, op) {
    use(«?entry»entry);
  }
  return op == «?load»LOAD || op == «?store»STORE;
}
)"}});
}

TEST(Resolve, CMembersThroughATypedefAndAMacroOfMembers) {
  expect_meanings({{"h.h", R"(typedef struct handle_s handle_t;
typedef struct loop_s loop_t;
#define PRIVATE_FIELDS \
  int «=fd»fd;
#define HANDLE_FIELDS \
  void* «=data»data; \
  PRIVATE_FIELDS
struct handle_s {
  HANDLE_FIELDS
  int «=hflags»flags;
};
struct loop_s { int «=lflags»flags; int data; int fd; };
)"},
                   {"other.h", "struct other { int data; int fd; int flags; };\n"},
                   {"use.c", R"(#include "h.h"
void f(handle_t* h, loop_t* l) {
  h->«?data»data = 0;
  h->«?fd»fd = 1;
  l->«?lflags»flags = h->«?hflags»flags;
}
)"}});
}

TEST(Resolve, RustPathsNameTheTypeAndTypeScriptNamesMayHaveADollar) {
  expect_meanings({{"a.rs", "pub struct First {}\nimpl First { pub fn «=first»new() {} }\n"},
                   {"b.rs", R"(use crate::a::First;
pub struct Second {}
impl Second { pub fn «=second»new() { First::«?first»new(); Second::«?second»new(); } }
)"},
                   {"c.ts", "export interface C { «=id»$id: string }\n"},
                   {"d.ts", "import { C } from './c';\nexport const f = (c: C) => c.«?id»$id;\n"}});
}

}  // namespace
}  // namespace ambit::indexer
