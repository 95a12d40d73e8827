//! What the files of a Python project say of the MLX that it depends on. Texts in, a version out: reads no file and executes none. What is wrong with a file is
//! for others to say.

use serde::Deserialize;

use crate::platform::{Version, oldest_mlx};
use crate::syntax::Source;
use crate::syntax::ast::{Expr, InterpolatedStringElement, ModModule, Stmt};

/// The files of a project's folder that may name what it depends on.
pub const FILES: [&str; 5] = ["pyproject.toml", "setup.cfg", "setup.py", "requirements.txt", "PKG-INFO"];

/// The oldest MLX that a project admits, as far as its file `name` with the content `text` says so. Several requirements are for several platforms, and the code
/// may run on each.
pub fn oldest_mlx_in(name: &str, text: &str) -> Option<Version> {
    let requirements = match name {
        "pyproject.toml" => of_pyproject(text)?,
        "setup.cfg" => of_setup_cfg(text),
        "setup.py" => of_setup_py(text)?,
        "requirements.txt" => of_requirements(text),
        _ => of_metadata(text),
    };
    requirements.iter().filter_map(|requirement| oldest_mlx(requirement)).min()
}

/// The folders that a distribution with the list of files `record` has put beside its own.
pub fn folders_in(record: &str) -> impl Iterator<Item = &str> {
    record.lines().filter_map(|line| Some(line.trim_start_matches('"').split_once('/')?.0)).filter(|name| !matches!(*name, "" | "." | ".."))
}

fn of_pyproject(text: &str) -> Option<Vec<String>> {
    #[derive(Deserialize)]
    struct File {
        project: Project,
    }
    #[derive(Deserialize)]
    struct Project {
        dependencies: Vec<String>,
    }
    let file: File = toml::from_str(text).ok()?;
    Some(file.project.dependencies)
}

/// The lines that pin a version, those that go on after `\` as one, without comments and the options of a line. Such a file says what is installed where the code
/// runs, and of a lower bound alone that is today's: it is no promise to go on working with what is older.
fn of_requirements(text: &str) -> Vec<String> {
    let joined = text.replace("\\\r\n", " ").replace("\\\n", " ");
    let requirement = |line: &str| {
        let line = line.split(" #").next().unwrap_or(line);
        line.split(" --").next().unwrap_or(line).trim().to_owned()
    };
    let is_pinned = |line: &String| line.contains("==") || line.contains("~=");
    joined.lines().map(requirement).filter(|line| !line.starts_with(['#', '-']) && is_pinned(line)).collect()
}

/// `install_requires` of the section `options`: what stands behind the name, and the lines below it that are indented.
fn of_setup_cfg(text: &str) -> Vec<String> {
    let (mut in_options, mut in_value, mut found) = (false, false, Vec::new());
    for line in text.lines().filter(|line| !line.trim_start().starts_with(['#', ';'])) {
        let is_indented = line.starts_with([' ', '\t']);
        if let Some(section) = line.strip_prefix('[') {
            (in_options, in_value) = (section.trim_end() == "options]", false);
        } else if in_value && is_indented {
            found.push(line.trim().to_owned());
        } else if !is_indented && !line.is_empty() {
            let (name, value) = line.split_once(['=', ':']).unwrap_or((line, ""));
            in_value = in_options && name.trim() == "install_requires";
            found.extend(in_value.then(|| value.trim().to_owned()));
        }
    }
    found
}

/// `Requires-Dist` of the head of a package that was built: what was asked for when it was. What only an extra asks for is no dependency of the package.
fn of_metadata(text: &str) -> Vec<String> {
    let head = text.lines().take_while(|line| !line.trim().is_empty());
    let requirements = head.filter_map(|line| line.split_once(':').filter(|(name, _)| name.eq_ignore_ascii_case("Requires-Dist")));
    let is_extra = |marker: &str| marker.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|word| word == "extra");
    let always = requirements.filter(|(_, requirement)| !requirement.split_once(';').is_some_and(|(_, marker)| is_extra(marker)));
    always.map(|(_, requirement)| requirement.trim().to_owned()).collect()
}

/// The strings of the list `install_requires` that `setup` is called with. What must be computed is not told; names of the file that are assigned once are read.
fn of_setup_py(text: &str) -> Option<Vec<String>> {
    if !text.contains("install_requires") {
        return None;
    }
    let source = Source::parse(text).ok()?;
    let module = source.module();
    let calls = module.body.iter().filter_map(|s| s.as_expr_stmt()?.value.as_call_expr());
    let setup = calls.into_iter().find(|call| match &*call.func {
        Expr::Name(name) => name.id.as_str() == "setup",
        Expr::Attribute(attribute) => attribute.attr.as_str() == "setup",
        _ => false,
    })?;
    let items = match resolved(&setup.arguments.find_keyword("install_requires")?.value, module)? {
        Expr::List(list) => &list.elts,
        Expr::Tuple(tuple) => &tuple.elts,
        _ => return None,
    };
    Some(items.iter().filter_map(|item| string(item, module)).collect())
}

/// `expr`, or what the file assigns to the name that it is.
fn resolved<'a>(expr: &'a Expr, module: &'a ModModule) -> Option<&'a Expr> {
    let Expr::Name(name) = expr else { return Some(expr) };
    let mut assigned = module.body.iter().filter_map(Stmt::as_assign_stmt).filter(|assign| {
        let is_it = |target: &Expr| target.as_name_expr().is_some_and(|t| t.id == name.id);
        assign.targets.iter().any(is_it)
    });
    let only = assigned.next()?;
    assigned.next().is_none().then_some(&*only.value)
}

/// The text of a string, the names in it replaced by the strings that they stand for.
fn string(expr: &Expr, module: &ModModule) -> Option<String> {
    match resolved(expr, module)? {
        Expr::StringLiteral(literal) => Some(literal.value.to_str().to_owned()),
        Expr::FString(f) if !f.value.is_implicit_concatenated() => {
            let parts = f.value.elements().map(|element| match element {
                InterpolatedStringElement::Literal(literal) => Some(literal.value.to_string()),
                InterpolatedStringElement::Interpolation(part) => match resolved(&part.expression, module)? {
                    Expr::StringLiteral(literal) => Some(literal.value.to_str().to_owned()),
                    _ => None,
                },
            });
            parts.collect()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use super::*;

    #[test]
    fn the_dependency_is_read_from_each_file_that_may_name_it() {
        let setup = "from setuptools import setup\nMIN = '0.32.1'\nneeds = ['numpy', f'mlx>={MIN}; platform_system == \"Darwin\"']\n";
        for (name, text, expected) in [
            ("pyproject.toml", "[project]\ndependencies = ['numpy', 'mlx>=0.22']\n", Some("0.22")),
            ("pyproject.toml", "[tool.other]\n", None),
            ("requirements.txt", "# mlx>=0.1\nnumpy\nmlx==0.29.3 \\\n    --hash=sha256:00\n", Some("0.29.3")),
            ("requirements.txt", "mlx[cuda]~=0.20.1 # as all here\n-r more.txt\n", Some("0.20.1")),
            ("requirements.txt", "mlx>=0.11\n", None),
            ("requirements.txt", "mlx-lm>=0.20\nmlx\n", None),
            (
                "setup.cfg",
                "[metadata]\nname = x\n[options]\ninstall_requires =\n    numpy\n    # old\n    mlx>=0.25,<1\nzip_safe = no\n",
                Some("0.25"),
            ),
            ("setup.cfg", "[options]\ninstall_requires = mlx>=0.21\n[options.extras_require]\nall =\n    mlx>=0.30\n", Some("0.21")),
            ("setup.cfg", "[tool]\ninstall_requires =\n    mlx>=0.25\n", None),
            ("setup.py", &format!("{setup}setup(name='x', install_requires=needs)\n"), Some("0.32.1")),
            ("setup.py", "import setuptools\nsetuptools.setup(install_requires=['mlx ~= 0.24.1'])\n", Some("0.24.1")),
            ("setup.py", "from setuptools import setup\nsetup(install_requires=open('r').read().split(), x='mlx>=0.2')\n", None),
            ("setup.py", "setup(install_requires=['mlx>=' + oldest])\n", None),
            ("setup.py", "setup(install_requires=[", None),
            ("PKG-INFO", "Metadata-Version: 2.1\nName: mlx-x\nRequires-Dist: numpy\nRequires-Dist: mlx==0.17.3\n", Some("0.17.3")),
            ("METADATA", "Name: x\r\nRequires-Dist: mlx (==0.24.2)\r\n\r\nRequires-Dist: mlx>=0.20\r\n", Some("0.24.2")),
            (
                "METADATA",
                "Requires-Dist: mlx>=0.30.0,<0.33.0 ; sys_platform == 'darwin'\nRequires-Dist: mlx[cuda13]==0.32.2 ; sys_platform == 'linux'\n",
                Some("0.30.0"),
            ),
            ("METADATA", "Requires-Dist: mlx[cpu]>=0.22; extra == \"cpu\"\nRequires-Dist: mlx ; python_version > '3.8' and extra=='all'\n", None),
            ("METADATA", "Name: x\nRequires-Dist: mlx-lm>=0.22\n\nneeds\nRequires-Dist: mlx>=0.22\n", None),
        ] {
            let expected = expected.map(|text| Version::from_str(text).expect("a version"));
            assert_eq!(oldest_mlx_in(name, text), expected, "{name}\n{text}");
        }
    }

    #[test]
    fn the_folders_of_a_distribution_are_those_that_its_files_lie_in() {
        let record = "a/__init__.py,sha256=0,1\na/b/c.py,,\none.py,,\n../../bin/x,,\n\"d/e,f.py\",,\nx-1.dist-info/RECORD,,\n";
        assert_eq!(folders_in(record).collect::<Vec<_>>(), ["a", "a", "d", "x-1.dist-info"]);
    }
}
