# Plans, and models on other servers. Asio, Beast and OpenSSL stay inside http, connection and resolver.
find_package(OpenSSL REQUIRED)
target_sources(ambit_inference PRIVATE
  plan.cpp
  plan_cards.cpp
  plan_cold.cpp
  plan_machine.cpp
  remote/url.cpp
  remote/event_stream.cpp
  remote/retry.cpp
  remote/resolver.cpp
  remote/connection.cpp
  remote/http.cpp
  remote/profile.cpp
  remote/prompt_parts.cpp
  remote/openai_wire.cpp
  remote/answer.cpp
  remote/probe.cpp
  remote/openai_backend.cpp
)
target_link_libraries(ambit_inference PRIVATE OpenSSL::SSL OpenSSL::Crypto)
