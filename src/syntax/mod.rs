//! Python as text: parsing, positions, comments and edits. The only module that names a `ruff_*` crate; it knows nothing of MLX.

mod edit;
mod encoding;
mod layout;
mod lines;
mod source;
mod spelling;

pub use edit::{Edit, EditSet};
pub use encoding::{Encoding, EncodingError, decode};
pub use layout::{LINE_WIDTH, lay_out_statement};
pub use lines::Lines;
pub use ruff_python_ast as ast;
pub use ruff_python_ast::token::{Token, TokenKind, Tokens};
pub use ruff_text_size::{Ranged, TextLen, TextRange, TextSize};
pub use source::{Location, Source, SyntaxError};
pub use spelling::{is_argument, is_tight, on_one_line, quoted_annotation};
