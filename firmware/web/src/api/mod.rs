//! The JSON API: one table of routes, each with who may use it. `openapi.yaml` says what they take and give.

pub(crate) mod accounts_input;
mod admin;
mod credentials;
mod deleted;
mod mail_rules;
mod me;
mod public;
mod setup;
mod sign_in;
pub(crate) mod views;

use axum::Router;
use axum::handler::Handler;
use axum::http::{Method, StatusCode};
use axum::middleware;
use axum::response::IntoResponse;
use axum::routing::{self, MethodFilter};

use crate::Web;
use crate::error::ApiError;
use crate::guard::{self, Access};

/// One route, for the tests that hold the table against the contract and the rights.
#[derive(Clone, Debug)]
pub struct Route {
    /// HTTP's.
    pub method: Method,
    /// Below `/api`, with names in braces.
    pub path: &'static str,
    /// Who may use it.
    pub access: Access,
}

/// The routes; none gets in without saying who may use it.
pub(crate) struct Table {
    web: Web,
    router: Router<Web>,
    pub(crate) routes: Vec<Route>,
}

impl Table {
    /// Adds a route.
    pub(crate) fn on<H, T>(
        mut self,
        access: Access,
        method: Method,
        path: &'static str,
        handler: H,
    ) -> Self
    where
        H: Handler<T, Web>,
        T: 'static,
    {
        let filter = MethodFilter::try_from(method.clone()).unwrap_or(MethodFilter::TRACE);
        let check = middleware::from_fn_with_state((self.web.clone(), access), guard::check);
        self.router = self.router.route(path, routing::on(filter, handler).route_layer(check));
        self.routes.push(Route { method, path, access });
        self
    }
}

/// All routes.
pub(crate) fn table(web: &Web) -> Table {
    let table = Table { web: web.clone(), router: Router::new(), routes: Vec::new() };
    let table = me::routes(sign_in::routes(public::routes(table)));
    admin::routes(credentials::routes(setup::routes(table)))
}

/// The router of everything under /api.
pub(crate) fn router(web: &Web) -> Router {
    table(web)
        .router
        .fallback(async || ApiError::not_found())
        .method_not_allowed_fallback(async || {
            ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed")
        })
        .with_state(web.clone())
}

/// 204.
pub(crate) fn done() -> impl IntoResponse + use<> {
    StatusCode::NO_CONTENT
}
