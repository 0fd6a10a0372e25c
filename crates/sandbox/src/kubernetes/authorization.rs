//! Who may do what: tokens, users, and rules like those of RBAC.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::request::{RequestInfo, Target};
use super::resource_types;
use super::status::StatusError;
use super::store::{ObjectKey, State};

/// The user of a request without a token.
pub(crate) const ANONYMOUS: &str = "system:anonymous";

/// What one rule allows: each of the verbs on each of the resources, like an RBAC `PolicyRule`. `*` stands for all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rule {
    /// API groups; the core group is the empty text.
    pub api_groups: Vec<String>,
    /// Plural names, with a subresource after a slash (`pods/portforward`).
    pub resources: Vec<String>,
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`.
    pub verbs: Vec<String>,
    /// Names that the rule is limited to; all when empty. `create`, `list` and `watch` have no name.
    pub resource_names: Vec<String>,
    /// Namespaces that the rule is limited to; all, and cluster-wide objects too, when empty.
    pub namespaces: Vec<String>,
}

impl Rule {
    /// A rule over all names in all namespaces.
    pub fn new(api_groups: &[&str], resources: &[&str], verbs: &[&str]) -> Self {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Rule { api_groups: owned(api_groups), resources: owned(resources), verbs: owned(verbs), ..Rule::default() }
    }

    /// The same rule in one namespace only.
    #[must_use]
    pub fn in_namespace(mut self, namespace: &str) -> Self {
        self.namespaces.push(namespace.to_owned());
        self
    }

    /// Whether the rule allows this in a namespace that it covers.
    fn allows(&self, access: &Access) -> bool {
        let has = |list: &[String], wanted: &str| list.iter().any(|it| it == "*" || it == wanted);
        let resource = match access.subresource.as_str() {
            "" => access.resource.clone(),
            subresource => format!("{}/{subresource}", access.resource),
        };
        has(&self.verbs, &access.verb)
            && has(&self.api_groups, &access.group)
            && has(&self.resources, &resource)
            && (self.resource_names.is_empty() || self.resource_names.contains(&access.name))
    }

    fn from_role(rule: &Value) -> Self {
        let texts = |field: &str| -> Vec<String> {
            let items = rule[field].as_array().into_iter().flatten();
            items.filter_map(|item| item.as_str().map(str::to_owned)).collect()
        };
        Rule {
            api_groups: texts("apiGroups"),
            resources: texts("resources"),
            verbs: texts("verbs"),
            resource_names: texts("resourceNames"),
            namespaces: Vec::new(),
        }
    }

    fn to_review(&self) -> Value {
        let mut value = json!({"verbs": self.verbs, "apiGroups": self.api_groups, "resources": self.resources});
        if !self.resource_names.is_empty() {
            value["resourceNames"] = json!(self.resource_names);
        }
        value
    }
}

/// One question: may somebody do this?
#[derive(Debug, Clone, Default)]
pub(crate) struct Access {
    pub(crate) verb: String,
    pub(crate) group: String,
    pub(crate) resource: String,
    pub(crate) subresource: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
}

#[derive(Debug, Clone)]
struct User {
    name: String,
    rules: Vec<Rule>,
}

/// All tokens.
#[derive(Debug, Default)]
pub(crate) struct Users {
    by_token: HashMap<String, User>,
}

impl Users {
    /// Adds or replaces the user of a token.
    pub(crate) fn insert(&mut self, token: &str, name: &str, rules: Vec<Rule>) {
        self.by_token.insert(token.to_owned(), User { name: name.to_owned(), rules });
    }

    /// Every user's name and token.
    pub(crate) fn tokens(&self) -> Vec<(String, String)> {
        let mut tokens: Vec<_> = self.by_token.iter().map(|(token, user)| (user.name.clone(), token.clone())).collect();
        tokens.sort();
        tokens
    }

    /// The name behind a token; 401 for a token that nobody has, anonymous without one.
    pub(crate) fn authenticate(&self, token: Option<&str>) -> Result<String, StatusError> {
        match token {
            None => Ok(ANONYMOUS.to_owned()),
            Some(token) => self.by_token.get(token).map(|user| user.name.clone()).ok_or_else(StatusError::unauthorized),
        }
    }

    fn own_rules(&self, user: &str) -> impl Iterator<Item = &Rule> {
        self.by_token.values().filter(move |it| it.name == user).flat_map(|it| it.rules.iter())
    }

    /// All rules that hold for a user in a namespace: his own and those bound by stored RBAC objects.
    fn rules(&self, state: &State, user: &str, namespace: &str) -> Vec<Rule> {
        let mut rules: Vec<Rule> = self
            .own_rules(user)
            .filter(|rule| rule.namespaces.is_empty() || rule.namespaces.iter().any(|it| it == namespace))
            .cloned()
            .collect();
        let named_in = |binding: &Value| {
            binding["subjects"].as_array().into_iter().flatten().any(|subject| match subject["kind"].as_str() {
                Some("User") => subject["name"] == user,
                Some("Group") => subject["name"] == "system:authenticated" && user != ANONYMOUS,
                _ => false,
            })
        };
        let bindings = state.list(resource_types::named("clusterrolebindings"), None);
        let local =
            state.list(resource_types::named("rolebindings"), Some(namespace)).filter(|_| !namespace.is_empty());
        for (key, binding) in bindings.chain(local).filter(|(_, binding)| named_in(binding)) {
            let role = &binding["roleRef"];
            let kind = if role["kind"] == "Role" { "roles" } else { "clusterroles" };
            let name = role["name"].as_str().unwrap_or_default();
            let role = state.get(&ObjectKey::new(resource_types::named(kind), &key.namespace, name));
            let role_rules = role.and_then(|role| role["rules"].as_array()).into_iter().flatten();
            rules.extend(role_rules.map(Rule::from_role));
        }
        rules
    }

    /// Whether a user may do this.
    pub(crate) fn allows(&self, state: &State, user: &str, access: &Access) -> bool {
        self.rules(state, user, &access.namespace).iter().any(|rule| rule.allows(access))
    }

    /// Refuses a request that its user may not make, in the words of a real server.
    pub(crate) fn authorize(&self, state: &State, user: &str, request: &RequestInfo) -> Result<(), StatusError> {
        let Target::Object { resource, .. } = &request.target else {
            return if user != ANONYMOUS || request.is_public() {
                Ok(())
            } else {
                let message = format!("forbidden: User \"{user}\" cannot {} path \"{}\"", request.verb, request.path);
                Err(StatusError::forbidden(None, "", message))
            };
        };
        let access = request.access();
        let mut verbs = vec![access.verb.as_str()];
        if access.subresource == "portforward" && access.verb == "get" {
            verbs.push("create");
        }
        for verb in verbs {
            let access = Access { verb: verb.to_owned(), ..access.clone() };
            if self.allows(state, user, &access) {
                continue;
            }
            let object = if access.name.is_empty() { String::new() } else { format!(" \"{}\"", access.name) };
            let full = match access.subresource.as_str() {
                "" => access.resource.clone(),
                subresource => format!("{}/{subresource}", access.resource),
            };
            let place = match access.namespace.as_str() {
                "" => "at the cluster scope".to_owned(),
                namespace => format!("in the namespace \"{namespace}\""),
            };
            let message = format!(
                "{}{object} is forbidden: User \"{user}\" cannot {verb} resource \"{full}\" in API group \"{}\" {place}",
                resource.qualified(),
                access.group,
            );
            return Err(StatusError::forbidden(Some(resource), &access.name, message));
        }
        Ok(())
    }

    /// Fills in the status of a `SelfSubjectAccessReview`.
    pub(crate) fn review_access(&self, state: &State, user: &str, mut review: Value) -> Value {
        let attributes = &review["spec"]["resourceAttributes"];
        let text = |field: &str| attributes[field].as_str().unwrap_or_default().to_owned();
        let allowed = if attributes.is_object() {
            let access = Access {
                verb: text("verb"),
                group: text("group"),
                resource: text("resource"),
                subresource: text("subresource"),
                namespace: text("namespace"),
                name: text("name"),
            };
            self.allows(state, user, &access)
        } else {
            user != ANONYMOUS
        };
        review["status"] = json!({"allowed": allowed});
        if allowed {
            review["status"]["reason"] = json!(format!("allowed by the rules of user \"{user}\""));
        }
        review
    }

    /// Fills in the status of a `SelfSubjectRulesReview`.
    pub(crate) fn review_rules(&self, state: &State, user: &str, mut review: Value) -> Value {
        let namespace = review["spec"]["namespace"].as_str().unwrap_or_default().to_owned();
        let rules: Vec<Value> = self.rules(state, user, &namespace).iter().map(Rule::to_review).collect();
        let paths = json!([{"verbs": ["get"], "nonResourceURLs": ["/api", "/api/*", "/apis", "/apis/*", "/version"]}]);
        review["status"] = json!({"resourceRules": rules, "nonResourceRules": paths, "incomplete": false});
        review
    }
}
