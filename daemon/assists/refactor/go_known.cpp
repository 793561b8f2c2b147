// Interfaces that code outside of a repository asks for.
#include <algorithm>

#include "daemon/assists/refactor/go_types.h"

namespace ambit::daemon {

const std::vector<KnownGoInterface>& known_go_interfaces() {
  static const std::vector<KnownGoInterface> kAll{
      {"error", "Error()string"},
      {"fmt.Stringer", "String()string"},
      {"fmt.GoStringer", "GoString()string"},
      {"fmt.Formatter", "Format(State,rune)"},
      {"fmt.Scanner", "Scan(ScanState,rune)error"},
      {"sort.Interface", "Len()int;Less(int,int)bool;Swap(int,int)"},
      {"heap.Interface", "Len()int;Less(int,int)bool;Swap(int,int);Push(any);Pop()any"},
      {"io.Reader", "Read([]byte)int,error"},
      {"io.Writer", "Write([]byte)int,error"},
      {"io.Closer", "Close()error"},
      {"io.Seeker", "Seek(int64,int)int64,error"},
      {"io.ReaderAt", "ReadAt([]byte,int64)int,error"},
      {"io.WriterAt", "WriteAt([]byte,int64)int,error"},
      {"io.ReaderFrom", "ReadFrom(Reader)int64,error"},
      {"io.WriterTo", "WriteTo(Writer)int64,error"},
      {"io.ByteReader", "ReadByte()byte,error"},
      {"io.ByteScanner", "ReadByte()byte,error;UnreadByte()error"},
      {"io.ByteWriter", "WriteByte(byte)error"},
      {"io.RuneReader", "ReadRune()rune,int,error"},
      {"io.RuneScanner", "ReadRune()rune,int,error;UnreadRune()error"},
      {"io.StringWriter", "WriteString(string)int,error"},
      {"fs.FS", "Open(string)File,error"},
      {"fs.File", "Stat()FileInfo,error;Read([]byte)int,error;Close()error"},
      {"fs.FileInfo", "Name()string;Size()int64;Mode()FileMode;ModTime()Time;IsDir()bool;Sys()any"},
      {"fs.DirEntry", "Name()string;IsDir()bool;Type()FileMode;Info()FileInfo,error"},
      {"hash.Hash", "Write([]byte)int,error;Sum([]byte)[]byte;Reset();Size()int;BlockSize()int"},
      {"errors.Unwrap", "Unwrap()error"},
      {"errors.Join", "Unwrap()[]error"},
      {"errors.Is", "Is(error)bool"},
      {"errors.As", "As(any)bool"},
      {"flag.Value", "String()string;Set(string)error"},
      {"flag.Getter", "Get()any;String()string;Set(string)error"},
      {"pflag.Value", "String()string;Set(string)error;Type()string"},
      {"sync.Locker", "Lock();Unlock()"},
      {"context.Context", "Deadline()Time,bool;Done()<-chanstruct{};Err()error;Value(any)any"},
      {"net.Conn",
       "Read([]byte)int,error;Write([]byte)int,error;Close()error;LocalAddr()Addr;RemoteAddr()Addr;"
       "SetDeadline(Time)error;SetReadDeadline(Time)error;SetWriteDeadline(Time)error"},
      {"net.Listener", "Accept()Conn,error;Close()error;Addr()Addr"},
      {"net.Addr", "Network()string;String()string"},
      {"net.Error", "Error()string;Timeout()bool;Temporary()bool"},
      {"http.Handler", "ServeHTTP(ResponseWriter,*Request)"},
      {"http.ResponseWriter", "Header()Header;Write([]byte)int,error;WriteHeader(int)"},
      {"http.RoundTripper", "RoundTrip(*Request)*Response,error"},
      {"http.Flusher", "Flush()"},
      {"http.Hijacker", "Hijack()Conn,*ReadWriter,error"},
      {"http.Pusher", "Push(string,*PushOptions)error"},
      {"http.FileSystem", "Open(string)File,error"},
      {"http.CookieJar", "SetCookies(*URL,[]*Cookie);Cookies(*URL)[]*Cookie"},
      {"json.Marshaler", "MarshalJSON()[]byte,error"},
      {"json.Unmarshaler", "UnmarshalJSON([]byte)error"},
      {"encoding.TextMarshaler", "MarshalText()[]byte,error"},
      {"encoding.TextUnmarshaler", "UnmarshalText([]byte)error"},
      {"encoding.TextAppender", "AppendText([]byte)[]byte,error"},
      {"encoding.BinaryMarshaler", "MarshalBinary()[]byte,error"},
      {"encoding.BinaryUnmarshaler", "UnmarshalBinary([]byte)error"},
      {"gob.GobEncoder", "GobEncode()[]byte,error"},
      {"gob.GobDecoder", "GobDecode([]byte)error"},
      {"xml.Marshaler", "MarshalXML(*Encoder,StartElement)error"},
      {"xml.Unmarshaler", "UnmarshalXML(*Decoder,StartElement)error"},
      {"yaml.Marshaler", "MarshalYAML()any,error"},
      {"yaml.Unmarshaler", "UnmarshalYAML(*Node)error"},
      {"yaml.InterfaceUnmarshaler", "UnmarshalYAML(func)error"},
      {"sql.Scanner", "Scan(any)error"},
      {"driver.Valuer", "Value()Value,error"},
      {"slog.Handler",
       "Enabled(Context,Level)bool;Handle(Context,Record)error;WithAttrs([]Attr)Handler;"
       "WithGroup(string)Handler"},
      {"slog.LogValuer", "LogValue()Value"},
      {"rand.Source", "Int63()int64;Seed(int64)"},
      {"image.Image", "ColorModel()Model;Bounds()Rectangle;At(int,int)Color"},
      {"color.Color", "RGBA()uint32,uint32,uint32,uint32"},
      {"ast.Visitor", "Visit(Node)Visitor"}};
  return kAll;
}

std::map<std::string, std::string> known_go_methods(std::string_view name) {
  std::map<std::string, std::string> out;
  for (const auto& known : known_go_interfaces()) {
    if (known.name != name) continue;
    for (auto rest = known.methods; !rest.empty();) {
      const auto one = rest.substr(0, rest.find(';'));
      rest.remove_prefix(std::min(one.size() + 1, rest.size()));
      const auto list = one.find('(');
      out.emplace(one.substr(0, list), one.substr(list));
    }
  }
  return out;
}

}  // namespace ambit::daemon
