//! Whom Secrets Manager's certificate may come from: Amazon's own roots, compiled in.
//!
//! The SDK's default is the machine's trust store: some 146 certificates, and where it was measured
//! (Debian) most of the processor time of a cold start. AWS's endpoints have certificates under these
//! five roots, and AWS asks that clients trust all of them (Amazon Trust Services, "Root CAs"; AWS "Certificate authorities").
//! They are the same certificates that Mozilla's list holds, which a test compares.

use aws_sdk_secretsmanager::config::SharedHttpClient;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};

/// Amazon Root CA 1 to 4 and Starfield Services Root Certificate Authority - G2, in PEM.
const AMAZON: &str = include_str!("roots/amazon.pem");

/// An HTTP client for the SDK that trusts `certificates` (PEM), or Amazon's roots where none are given.
///
/// # Panics
/// When `certificates` is not PEM; the configuration checks that.
pub fn https_client(certificates: Option<&str>) -> SharedHttpClient {
    let roots = TrustStore::empty().with_pem_certificate(certificates.unwrap_or(AMAZON));
    let provider = Provider::Rustls(CryptoMode::AwsLc);
    let builder = Builder::new().tls_provider(provider);
    match TlsContext::builder().with_trust_store(roots).build() {
        Ok(context) => builder.tls_context(context).build_https(),
        // There is no way in which it fails today; then it is better to trust the machine's roots
        // than to serve nobody.
        Err(_) => builder.build_https(),
    }
}

#[cfg(test)]
mod tests {
    use rustls_pki_types::CertificateDer;
    use rustls_pki_types::pem::PemObject;

    use super::*;

    #[test]
    fn the_roots_are_those_of_mozillas_list() {
        let roots: Vec<_> = CertificateDer::pem_slice_iter(AMAZON.as_bytes()).map(Result::unwrap).collect();
        assert_eq!(roots.len(), 5);
        for root in roots {
            assert!(webpki_root_certs::TLS_SERVER_ROOT_CERTS.contains(&root), "{root:?}");
        }
    }
}
