import com.sun.source.tree.*;
import com.sun.source.util.*;
import java.io.IOException;
import java.nio.file.*;
import java.util.*;
import java.util.stream.Stream;
import javax.lang.model.element.*;
import javax.tools.*;

// What the Java compiler says that names mean, for oracle.py goto --pairs:
//   java tests/bench/index/JavaPairs.java REPO SOURCE_FOLDER... > pairs.jsonl
// One line per use of a name that is defined in these folders: {"from": [path, line, column],
// "to": [[path, line]]}, 1-based. Uses of locals and parameters are left out. What a missing
// library makes unknown has no line.
public class JavaPairs {
  public static void main(String[] arguments) throws IOException {
    Path repo = Path.of(arguments[0]).toAbsolutePath().normalize();
    List<Path> files = new ArrayList<>();
    for (int i = 1; i < arguments.length; ++i) {
      try (Stream<Path> all = Files.walk(repo.resolve(arguments[i]))) {
        all.filter(p -> p.toString().endsWith(".java") && !p.endsWith("module-info.java"))
            .sorted().forEach(files::add);
      }
    }
    JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
    StandardJavaFileManager manager = compiler.getStandardFileManager(null, null, null);
    JavacTask task = (JavacTask) compiler.getTask(null, manager, d -> {},
        List.of("-proc:none", "-Xmaxerrs", "1"), null, manager.getJavaFileObjectsFromPaths(files));
    List<CompilationUnitTree> units = new ArrayList<>();
    for (CompilationUnitTree unit : task.parse()) units.add(unit);
    task.analyze();
    Trees trees = Trees.instance(task);
    for (CompilationUnitTree unit : units) new Uses(repo, unit, trees).scan(unit, null);
  }

  private static class Uses extends TreePathScanner<Void, Void> {
    private final Path repo;
    private final CompilationUnitTree unit;
    private final Trees trees;
    private final CharSequence text;
    private final Map<Tree, Element> constructors = new IdentityHashMap<>();

    Uses(Path repo, CompilationUnitTree unit, Trees trees) throws IOException {
      this.repo = repo;
      this.unit = unit;
      this.trees = trees;
      this.text = unit.getSourceFile().getCharContent(true);
    }

    // new X(…) means the constructor to editors, and the class when it has none of its own.
    @Override public Void visitNewClass(NewClassTree node, Void nothing) {
      Element made = trees.getElement(getCurrentPath());
      Tree named = node.getIdentifier();
      while (named instanceof ParameterizedTypeTree p) named = p.getType();
      if (named instanceof AnnotatedTypeTree a) named = a.getUnderlyingType();
      if (made != null && trees.getTree(made) != null && node.getClassBody() == null) {
        constructors.put(named, made);
      }
      return super.visitNewClass(node, nothing);
    }
    @Override public Void visitIdentifier(IdentifierTree node, Void nothing) {
      use(node.getName(), trees.getSourcePositions().getStartPosition(unit, node));
      return super.visitIdentifier(node, nothing);
    }
    @Override public Void visitMemberSelect(MemberSelectTree node, Void nothing) {
      long end = trees.getSourcePositions().getEndPosition(unit, node);
      use(node.getIdentifier(), end - node.getIdentifier().length());
      return super.visitMemberSelect(node, nothing);
    }
    @Override public Void visitMemberReference(MemberReferenceTree node, Void nothing) {
      long end = trees.getSourcePositions().getEndPosition(unit, node);
      use(node.getName(), end - node.getName().length());
      return super.visitMemberReference(node, nothing);
    }

    private void use(Name name, long at) {
      if (at < 0 || at + name.length() > text.length()
          || !text.subSequence((int) at, (int) at + name.length()).toString()
              .contentEquals(name)) {
        return;  // a name that the compiler made
      }
      Element element = constructors.getOrDefault(getCurrentPath().getLeaf(),
          trees.getElement(getCurrentPath()));
      if (element == null || element.getKind() == ElementKind.PACKAGE
          || element.getKind() == ElementKind.LOCAL_VARIABLE
          || element.getKind() == ElementKind.PARAMETER
          || element.getKind() == ElementKind.EXCEPTION_PARAMETER
          || element.getKind() == ElementKind.RESOURCE_VARIABLE
          || element.getKind() == ElementKind.TYPE_PARAMETER) {
        return;
      }
      TreePath target = trees.getPath(element);
      if (target == null) return;  // of a library
      String word = element.getKind() == ElementKind.CONSTRUCTOR
          ? element.getEnclosingElement().getSimpleName().toString()
          : element.getSimpleName().toString();
      CompilationUnitTree other = target.getCompilationUnit();
      long line = nameLine(other, target.getLeaf(), word);
      if (line == 0) {  // a constructor that nobody wrote
        target = trees.getPath(element.getEnclosingElement());
        if (target == null) return;
        line = nameLine(other, target.getLeaf(), word);
        if (line == 0) return;
      }
      LineMap lines = unit.getLineMap();
      System.out.printf("{\"from\": [\"%s\", %d, %d], \"to\": [[\"%s\", %d]]}%n", path(unit),
          lines.getLineNumber(at), at - lines.getStartPosition(lines.getLineNumber(at)) + 1,
          path(other), line);
    }

    // Where the name stands: behind modifiers and types, before what follows it.
    private long nameLine(CompilationUnitTree of, Tree tree, String word) {
      try {
        CharSequence all = of.getSourceFile().getCharContent(true);
        int begin = (int) trees.getSourcePositions().getStartPosition(of, tree);
        int end = (int) trees.getSourcePositions().getEndPosition(of, tree);
        ModifiersTree modifiers = tree instanceof ClassTree c ? c.getModifiers()
            : tree instanceof MethodTree m ? m.getModifiers()
            : tree instanceof VariableTree v ? v.getModifiers() : null;
        if (modifiers != null) {
          begin = Math.max(begin,
              (int) trees.getSourcePositions().getEndPosition(of, modifiers));
        }
        if (begin < 0 || end < begin) return 0;
        var found = java.util.regex.Pattern.compile("\\b" + java.util.regex.Pattern.quote(word)
            + "\\b" + (tree instanceof MethodTree ? "\\s*\\(" : "")).matcher(all.subSequence(begin, end));
        return found.find() ? of.getLineMap().getLineNumber(begin + found.start()) : 0;
      } catch (IOException e) {
        return 0;
      }
    }

    private String path(CompilationUnitTree of) {
      return repo.relativize(Path.of(of.getSourceFile().toUri())).toString();
    }
  }
}
