//! What pages share. Each component is one piece of the design language in `style/`; none of them
//! uses a `style` attribute, which the content security policy forbids.
//!
//! - [`words`]: numbers, times and shares as people read them;
//! - [`status`]: a verdict, as shape, colour and word at once;
//! - [`card`]: a region with heading, content and age;
//! - [`checks`]: what was looked at before an operation;
//! - [`live`]: keeps an island fresh, `refresh` a page without one; [`age`]: how old something is;
//! - [`attention`]: what has to be looked at;
//! - [`notice`]: something to be told, a [`Problem`](model::problem::Problem) above all;
//! - [`figure`]: a number with its name; [`sparkline`]: its last hour;
//! - `log_line`: a line of a log, folded;
//! - [`facts`]: names and values; [`table`]: rows under headings; [`id`]: an id, short and whole;
//! - [`form`]: fields, and what is wrong with them.

pub mod age;
pub mod attention;
pub mod card;
pub mod checks;
pub mod facts;
pub mod figure;
pub mod form;
pub mod id;
pub mod live;
#[cfg(feature = "ssr")]
pub mod log_line;
pub mod notice;
#[cfg(feature = "ssr")]
pub mod refresh;
pub mod sparkline;
pub mod status;
pub mod table;
pub mod words;
