{% if values.module.language == "rust" -%}
[package]
name = "${{ values.module.id }}"
{%- else -%}
module example.com/${{ values.module.id }}
{%- endif %}
