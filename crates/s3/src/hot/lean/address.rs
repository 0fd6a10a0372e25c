//! Where a bucket is reached, as the SDK's endpoint rules say.

use aws_sdk_s3::config::endpoint::{DefaultResolver, Params, ResolveEndpoint as _};
use aws_smithy_types::Document;
use futures::FutureExt as _;
use http::uri::{Authority, InvalidUriParts, Parts, PathAndQuery, Scheme};
use http::{HeaderValue, Uri};
use hyper_util::client::proxy::matcher::Matcher;

use crate::hot::choice::WhySdk;

/// What the address of a bucket depends on, apart from its name.
#[derive(Clone, Debug)]
pub(crate) struct AddressRules {
    pub(crate) region: String,
    pub(crate) endpoint: Option<String>,
    pub(crate) path_style: bool,
    pub(crate) fips: Option<bool>,
    pub(crate) dual_stack: Option<bool>,
}

/// Where a bucket is reached and how requests to it are signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(super) scheme: Scheme,
    pub(super) authority: Authority,
    /// Value of `Host`: the authority without the scheme's usual port.
    pub(super) host: HeaderValue,
    /// What the paths of all keys begin with: the bucket, where it isn't in the host name. No slash at its end.
    pub(super) path: String,
    /// The region that signatures are for.
    pub(super) region: String,
}

impl AddressRules {
    /// The address of a bucket, if this client can serve it.
    pub(crate) fn resolve(&self, bucket: &str) -> Result<Address, WhySdk> {
        // The SDK's connections follow the environment's proxies, through this very matcher.
        self.resolve_unless_proxied(bucket, &Matcher::from_env())
    }

    fn resolve_unless_proxied(&self, bucket: &str, proxies: &Matcher) -> Result<Address, WhySdk> {
        if bucket.starts_with("arn:") {
            return Err(WhySdk::Arn);
        }
        if bucket.ends_with("--x-s3") {
            return Err(WhySdk::Express);
        }
        let params = Params::builder()
            .bucket(bucket)
            .region(&self.region)
            .set_endpoint(self.endpoint.clone())
            .force_path_style(self.path_style)
            .set_use_fips(self.fips)
            .set_use_dual_stack(self.dual_stack)
            .build()
            .map_err(|_| WhySdk::Address)?;
        let rules = DefaultResolver::new();
        // The rules are computed, not asked for: they answer at once.
        let found = rules.resolve_endpoint(&params).now_or_never().and_then(Result::ok).ok_or(WhySdk::Address)?;
        let text = |key| match found.auth_schemes().first()?.get(key) {
            Some(Document::String(text)) => Some(text.as_str()),
            _ => None,
        };
        let scheme = found.auth_schemes().first().ok_or(WhySdk::Signing)?;
        if scheme.name() != "sigv4" || text("signingName") != Some("s3") || found.headers().next().is_some() {
            return Err(WhySdk::Signing);
        }
        let region = text("signingRegion").ok_or(WhySdk::Signing)?;
        let url: Uri = found.url().parse().map_err(|_| WhySdk::Address)?;
        let address = Address::of(url, region.to_owned()).ok_or(WhySdk::Address)?;
        let root = address.url(PathAndQuery::from_static("/")).map_err(|_| WhySdk::Address)?;
        if proxies.intercept(&root).is_some() { Err(WhySdk::Proxy) } else { Ok(address) }
    }
}

impl Address {
    /// The URL of something in the bucket.
    pub(super) fn url(&self, path: PathAndQuery) -> Result<Uri, InvalidUriParts> {
        let mut parts = Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(path);
        Uri::from_parts(parts)
    }

    fn of(url: Uri, region: String) -> Option<Self> {
        let parts = url.into_parts();
        let (scheme, authority) = (parts.scheme?, parts.authority?);
        let usual = if scheme == Scheme::HTTPS { 443 } else { 80 };
        let path = parts.path_and_query?;
        if (scheme != Scheme::HTTP && scheme != Scheme::HTTPS) || path.query().is_some() {
            return None;
        }
        let host = authority.host();
        let (authority, host) = match authority.port_u16().filter(|port| *port != usual) {
            Some(port) => (format!("{host}:{port}"), format!("{host}:{port}")),
            None => (host.to_owned(), host.to_owned()),
        };
        Some(Self {
            scheme,
            authority: authority.parse().ok()?,
            host: host.try_into().ok()?,
            path: path.path().trim_end_matches('/').to_owned(),
            region,
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn aws() -> AddressRules {
        let region = "eu-west-1".to_owned();
        AddressRules { region, endpoint: None, path_style: false, fips: None, dual_stack: None }
    }

    fn at(endpoint: &str) -> AddressRules {
        AddressRules { endpoint: Some(endpoint.to_owned()), path_style: true, ..aws() }
    }

    fn resolve(rules: &AddressRules, bucket: &str) -> Result<String, WhySdk> {
        resolve_past(rules, bucket, &Matcher::builder().build())
    }

    fn resolve_past(rules: &AddressRules, bucket: &str, proxies: &Matcher) -> Result<String, WhySdk> {
        let Address { scheme, authority, host, path, region } = rules.resolve_unless_proxied(bucket, proxies)?;
        Ok(format!("{scheme}://{authority}{path} {} {region}", host.to_str().unwrap()))
    }

    #[test]
    fn addresses_are_those_of_the_endpoint_rules() {
        let cases = [
            (aws(), "bkt", "https://bkt.s3.eu-west-1.amazonaws.com bkt.s3.eu-west-1.amazonaws.com eu-west-1"),
            // A dot in the name would not fit the certificate.
            (aws(), "a.b", "https://s3.eu-west-1.amazonaws.com/a.b s3.eu-west-1.amazonaws.com eu-west-1"),
            (
                AddressRules { path_style: true, ..aws() },
                "bkt",
                "https://s3.eu-west-1.amazonaws.com/bkt s3.eu-west-1.amazonaws.com eu-west-1",
            ),
            (
                AddressRules { dual_stack: Some(true), ..aws() },
                "bkt",
                "https://bkt.s3.dualstack.eu-west-1.amazonaws.com bkt.s3.dualstack.eu-west-1.amazonaws.com eu-west-1",
            ),
            (
                AddressRules { fips: Some(true), region: "us-east-2".into(), ..aws() },
                "bkt",
                "https://bkt.s3-fips.us-east-2.amazonaws.com bkt.s3-fips.us-east-2.amazonaws.com us-east-2",
            ),
            (
                AddressRules { region: "cn-north-1".into(), ..aws() },
                "bkt",
                "https://bkt.s3.cn-north-1.amazonaws.com.cn bkt.s3.cn-north-1.amazonaws.com.cn cn-north-1",
            ),
            (at("http://127.0.0.1:9000"), "bkt", "http://127.0.0.1:9000/bkt 127.0.0.1:9000 eu-west-1"),
            (at("http://me:hush@store:80/s3/"), "bkt", "http://store/s3/bkt store eu-west-1"),
            (at("https://store:443"), "bkt", "https://store/bkt store eu-west-1"),
            (at("http://[::1]:9000"), "bkt", "http://[::1]:9000/bkt [::1]:9000 eu-west-1"),
            (AddressRules { path_style: false, ..at("https://store") }, "bkt", "https://bkt.store bkt.store eu-west-1"),
        ];
        for (rules, bucket, expected) in cases {
            assert_eq!(resolve(&rules, bucket).as_deref(), Ok(expected), "{rules:?} {bucket}");
        }
    }

    #[test]
    fn what_this_client_cannot_reach_is_left_to_the_sdk() {
        let point = "arn:aws:s3:eu-west-1:123456789012:accesspoint/mine";
        assert_eq!(resolve(&aws(), point), Err(WhySdk::Arn));
        assert_eq!(resolve(&aws(), "mine--euw1-az1--x-s3"), Err(WhySdk::Express));
        assert_eq!(resolve(&AddressRules { region: "a b".into(), ..aws() }, "bkt"), Err(WhySdk::Address));
        assert_eq!(resolve(&at("http://store/?a=b"), "bkt"), Err(WhySdk::Address));

        let proxies = Matcher::builder().https("http://proxy:3128").no("inside").build();
        assert_eq!(resolve_past(&aws(), "bkt", &proxies), Err(WhySdk::Proxy));
        assert!(resolve_past(&at("https://inside"), "bkt", &proxies).is_ok());
        assert!(resolve_past(&at("http://outside"), "bkt", &proxies).is_ok());
    }
}
